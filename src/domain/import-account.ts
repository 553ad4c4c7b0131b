/** XEP-0227 §4.2–4.11: one account put together from its parts; nobody can log in before all of it is there. */
import { accountStore, type AccountRow, type CredentialsRow } from "../store/accounts.ts";
import type { Path } from "../xmpp/document-reader.ts";
import { parseDateTime } from "../xmpp/datetime.ts";
import { StanzaError } from "../xmpp/errors.ts";
import type { Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, childText, namespaceOf, type Element } from "../xmpp/xml.ts";
import { userDepth } from "./import-file.ts";
import { MessageImport } from "./import-messages.ts";
import { NodeImport } from "./import-nodes.ts";
import { PeopleImport } from "./import-people.ts";
import type { ImportContext } from "./import.ts";

const mechanisms: Readonly<Record<string, CredentialsRow["hash"]>> = {
  "SCRAM-SHA-1": "SHA-1",
  "SCRAM-SHA-256": "SHA-256",
  "SCRAM-SHA-512": "SHA-512",
};

/** In bytes: those of the hash. */
const keyLengths = { "SHA-1": 20, "SHA-256": 32, "SHA-512": 64 } as const;
/** Rounds of PBKDF2: more than anybody sets, and a login by PLAIN, which repeats them here, comes to its end. */
const maxIterations = 10_000_000;

export interface AccountImportOptions {
  readonly jid: Jid;
  readonly password: string | undefined;
  /** Whether who was an administrator is one again. */
  readonly admins: boolean;
  /** Something that is not taken over, for the operator. */
  note(text: string): void;
}

export class AccountImport {
  readonly #context: ImportContext;
  readonly #options: AccountImportOptions;
  readonly #nodes: NodeImport;
  readonly #messages: MessageImport;
  readonly #people: PeopleImport;
  readonly #verifiers: CredentialsRow[] = [];
  #createdAt = new Date();
  #admin = false;
  #disabled = false;

  private constructor(context: ImportContext, options: AccountImportOptions) {
    this.#context = context;
    this.#options = options;
    const { jid, note } = options;
    this.#nodes = new NodeImport(context.pubsub, jid.bare, note);
    this.#people = new PeopleImport(context, jid.bare, this.#nodes, note);
    this.#messages = new MessageImport(context, jid.bare);
  }

  /**
   * Keeps the name; StanzaError `conflict` where it is or was somebody's, unless an import of it was interrupted, and
   * `not-acceptable` where it cannot be one.
   */
  static async begin(context: ImportContext, options: AccountImportOptions): Promise<AccountImport> {
    const { accounts, store } = context;
    const { jid } = options;
    const rows = accountStore(store);
    const before = await rows.find(jid.local);
    const account = new AccountImport(context, options);
    if (before && isHalf(before) && (await rows.verifiers(jid.local)).length === 0) {
      await account.#messages.startOver(before.createdAt);
      return account;
    }
    await accounts.mustBeFree(jid);
    const now = new Date();
    const blank = { admin: false, removedAt: null, cleared: false };
    await rows.insert({ ...blank, local: jid.local, createdAt: now, disabledAt: now });
    return account;
  }

  /** A part of the account, or of something in it; `path` is what it is in. */
  async take(element: Element, path: Path, node: string | undefined): Promise<void> {
    const section = path[userDepth];
    const isKnown =
      section === undefined ? await this.#part(element) : await this.#within(section, element, node);
    if (!isKnown) this.#options.note(`<${element.name} xmlns="${namespaceOf(element)}"> is not known here`);
  }

  /** All was told: the account is one that can be used. */
  async complete(): Promise<void> {
    const { avatars, events, store, waiting } = this.#context;
    const { jid, admins, note } = this.#options;
    await this.#nodes.flush();
    await this.#messages.flush();
    await this.#people.complete();
    // Others may have asked for it meanwhile.
    waiting.forget(jid.bare);
    avatars.forget(jid.bare);
    if (this.#admin && !admins) note("was an administrator, and is none here (--admins)");
    await store.transaction(async (tx) => {
      const rows = accountStore(tx);
      if (this.#verifiers.length > 0) await rows.setCredentials(jid.local, this.#verifiers);
      const disabledAt = this.#disabled ? new Date() : null;
      await rows.update(jid.local, { disabledAt, createdAt: this.#createdAt, admin: this.#admin && admins });
    });
    if (!(await this.#setPassword())) {
      if (this.#verifiers.length === 0)
        note("has no password that can be used here: set one (pipit account passwd)");
      else if (!this.#verifiers.some(({ hash }) => hash === "SHA-256"))
        note("has no SCRAM-SHA-256 verifier: some clients cannot log in until a password is set");
    }
    events.emit("account.added", { account: jid.bare });
  }

  /** §4.2: the one in the clear, where there is one that can be a password here. */
  async #setPassword(): Promise<boolean> {
    const { jid, password, note } = this.#options;
    if (password === undefined) return false;
    try {
      await this.#context.accounts.setPassword(jid, password);
      return true;
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error;
      note(error.message);
      return false;
    }
  }

  async #within(section: string, element: Element, node: string | undefined): Promise<boolean> {
    switch (section) {
      case `{${NS.pubsubOwner}}pubsub`:
        return this.#nodes.owned(element);
      case `{${NS.pubsub}}pubsub`:
        return node !== undefined && this.#nodes.item(node, element);
      case `{${NS.portableArchive}}archive`:
        return this.#messages.archived(element);
      default:
        return this.#messages.waiting(element);
    }
  }

  async #part(element: Element): Promise<boolean> {
    const name = `{${namespaceOf(element)}}${element.name}`;
    if (name === `{${NS.portableScram}}scram-credentials`) return this.#verifier(element);
    if (name === `{${NS.portableExtra}}account`) return this.#state(element);
    return this.#people.take(name, element);
  }

  #state(element: Element): boolean {
    this.#createdAt = parseDateTime(attr(element, "created") ?? "") ?? this.#createdAt;
    this.#admin = attr(element, "admin") === "true";
    this.#disabled = attr(element, "disabled") === "true";
    return true;
  }

  /** §4.3. */
  #verifier(element: Element): boolean {
    const mechanism = attr(element, "mechanism") ?? "";
    const hash = mechanisms[mechanism];
    if (!hash) {
      this.#options.note(`${mechanism} is not spoken here`);
      return true;
    }
    const part = (name: string): Buffer => Buffer.from(childText(element, name)?.trim() ?? "", "base64");
    const iterations = Number(childText(element, "iter-count")?.trim());
    const parts = [part("salt"), part("stored-key"), part("server-key")];
    // ejabberd 23.01 exports base64 of base64.
    const isTwice = parts[1]!.length > keyLengths[hash];
    const [salt, storedKey, serverKey] = parts.map((one) =>
      isTwice ? Buffer.from(one.toString("latin1"), "base64") : one,
    ) as [Buffer, Buffer, Buffer];
    const isWhole = [storedKey, serverKey].every(({ length }) => length === keyLengths[hash]);
    if (!isWhole || salt.length === 0 || !isCount(iterations))
      throw new StanzaError("not-acceptable", { text: `The ${mechanism} credentials are not whole` });
    if (this.#verifiers.some((one) => one.hash === hash))
      throw new StanzaError("not-acceptable", { text: `There are two ${mechanism} credentials` });
    this.#verifiers.push({
      local: this.#options.jid.local,
      hash,
      iterations,
      salt: salt.toString("base64"),
      storedKey: storedKey.toString("base64"),
      serverKey: serverKey.toString("base64"),
    });
    return true;
  }
}

/** Of rounds. */
const isCount = (value: number): boolean => Number.isInteger(value) && value >= 1 && value <= maxIterations;

/** Whether an account was begun and never completed: then it is as it was made. */
const isHalf = ({ createdAt, disabledAt, removedAt }: AccountRow): boolean =>
  removedAt === null && disabledAt?.getTime() === createdAt.getTime();
