/** XEP-0133 §4.24–4.28: what the node tells those who log in: a message of the day, and a welcome to who is new. */
import { loginStore } from "../store/logins.ts";
import { noticeStore, type NoticeRow } from "../store/notices.ts";
import type { NoticeName } from "../store/schema.ts";
import type { Store } from "../store/store.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { legalText } from "../xmpp/xml.ts";

/** Of a notice, in UTF-16 units: nobody reads more before they chat. */
const maxLength = 10_000;

export type { NoticeName };

export class Notices {
  readonly #store: Store;
  #known: Promise<Map<NoticeName, NoticeRow>> | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  async find(name: NoticeName): Promise<string | undefined> {
    return (await this.#all()).get(name)?.text;
  }

  /** A new notice: everybody is told, also who was told of the one before. */
  set(name: NoticeName, text: string): Promise<void> {
    return this.#put({ name, text, setAt: new Date() });
  }

  /** Another wording of it: who was told is not told again. `item-not-found` where there is none. */
  async edit(name: NoticeName, text: string): Promise<void> {
    const row = (await this.#all()).get(name);
    if (!row) throw missing();
    await this.#put({ ...row, text });
  }

  /** `item-not-found` where there is none. */
  async remove(name: NoticeName): Promise<void> {
    const all = await this.#all();
    if (!(await noticeStore(this.#store).remove(name))) throw missing();
    all.delete(name);
  }

  /** Somebody logged in. */
  loggedIn(local: string): Promise<void> {
    return loginStore(this.#store).note(local, new Date());
  }

  async lastLogin(local: string): Promise<Date | undefined> {
    return (await loginStore(this.#store).find(local))?.lastAt ?? undefined;
  }

  /** What somebody has not been told yet, who counts as told from now on. */
  async due(local: string): Promise<string[]> {
    const all = await this.#all();
    if (all.size === 0) return [];
    const [welcome, motd] = [all.get("welcome"), all.get("motd")];
    return this.#store.transaction(async (tx) => {
      const row = await loginStore(tx).find(local);
      if (!row) return [];
      // Who came before there was a welcome is not new.
      const isNew = welcome && !row.welcomed && row.firstAt >= welcome.setAt;
      const isNews = motd && (row.motdAt === null || row.motdAt < motd.setAt);
      const told = { welcomed: row.welcomed || isNew === true, motdAt: isNews ? motd.setAt : row.motdAt };
      if (isNew || isNews) await loginStore(tx).setTold(local, told);
      return [...(isNew ? [welcome.text] : []), ...(isNews ? [motd.text] : [])];
    });
  }

  /** Forgets what an account was told that is no more. */
  clear(local: string): Promise<void> {
    return loginStore(this.#store).remove(local);
  }

  async #put(row: NoticeRow): Promise<void> {
    const text = legalText(row.text).trim();
    if (text === "" || text.length > maxLength) {
      throw new StanzaError("not-acceptable", { text: `A notice has 1 to ${maxLength} characters` });
    }
    const all = await this.#all();
    await noticeStore(this.#store).put({ ...row, text });
    all.set(row.name, { ...row, text });
  }

  #all(): Promise<Map<NoticeName, NoticeRow>> {
    this.#known ??= noticeStore(this.#store)
      .list()
      .then((rows) => new Map(rows.map((row) => [row.name, row])));
    return this.#known;
  }
}

const missing = (): StanzaError => new StanzaError("item-not-found", { text: "There is no such notice" });
