/**
 * What people say of themselves, as a vcard-temp (XEP-0054) and as a vCard4 (XEP-0292): a change of one is a change of
 * the other, as far as both can say it. The picture is the avatar's (XEP-0398). Who may read the vCard4 may read both.
 */
import type { Projection, PubSub } from "../pubsub/pubsub.ts";
import { openAccess } from "../pubsub/config.ts";
import { refusal } from "../pubsub/errors.ts";
import { pubsubStore } from "../store/pubsub.ts";
import type { Store } from "../store/store.ts";
import { vcardStore } from "../store/vcards.ts";
import { fromBase64, imageHash, imageType } from "../xmpp/image.ts";
import { parseJid, type Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { parseElement } from "../xmpp/parser.ts";
import { propertiesOf, sayTheSame, toTemp, toV4 } from "../xmpp/vcard.ts";
import { child, children, childText, copy, namespaceOf, serialize, xml, type Element } from "../xmpp/xml.ts";
import type { Avatars, Picture } from "./avatars.ts";

/** The one item of the vCard4's node. */
const cardId = "current";

export class Profiles {
  readonly #store: Store;
  readonly #pubsub: PubSub;
  readonly #avatars: Avatars;

  constructor({ store, pubsub, avatars }: { store: Store; pubsub: PubSub; avatars: Avatars }) {
    this.#store = store;
    this.#pubsub = pubsub;
    this.#avatars = avatars;
    pubsub.project(NS.vcard4Node, this.#projection());
  }

  /** The vcard-temp of an account as somebody sees it. */
  async read(account: string, viewer: Jid): Promise<Element | undefined> {
    const node = await this.#pubsub.find(account, NS.vcard4Node);
    const may = !node || (await this.#pubsub.mayRead(node, viewer));
    const card = may ? await storedCard(this.#store, account) : undefined;
    const avatar = await this.#avatars.seenBy(account, viewer);
    if (!avatar) return card;
    const shown = card ? withoutPhoto(card) : xml("vCard", { xmlns: NS.vcard });
    const data = avatar.data.toString("base64");
    shown.append(xml("PHOTO", {}, xml("TYPE", {}, avatar.type), xml("BINVAL", {}, data)));
    return shown;
  }

  /** Replaces the vcard-temp of an account as a whole: a photo that is not there any more is taken away. */
  async write(account: string, card: Element): Promise<void> {
    const photo = child(card, "PHOTO");
    const picture = photo && pictureIn(photo);
    const shown = await this.#avatars.hash(account);
    if (picture && imageHash(picture.data) !== shown) await this.#avatars.set(account, picture);
    if (!picture && shown) await this.#avatars.clear(account);
    // A photo at a URL, say, is nothing that the avatar's nodes could hold.
    const isPlain = !photo || picture || childText(photo, "EXTVAL") === undefined;
    const stored = isPlain ? withoutPhoto(card) : copy(card);
    await vcardStore(this.#store).save(account, serialize(stored));
    await this.#publish(account, stored);
  }

  async #publish(account: string, card: Element): Promise<void> {
    const node = await this.#pubsub.find(account, NS.vcard4Node);
    const before = node && (await this.#pubsub.items.last(node));
    if (before?.payload ? sayTheSame(card, before.payload) : propertiesOf(card).length === 0) return;
    const publisher = parseJid(account)!;
    const items = [{ id: before?.id ?? cardId, payload: toV4(card, before?.payload) }];
    // A vcard-temp is for everybody, and so is what it becomes.
    const options = node ? undefined : openAccess;
    await this.#pubsub.publish({ service: account, node: NS.vcard4Node, publisher, items, options });
  }

  /** The vcard-temp follows the vCard4 in its transaction. */
  #projection(): Projection {
    const follow = async (tx: Store, account: string, said: Element): Promise<void> => {
      const before = await storedCard(tx, account);
      if (before ? sayTheSame(before, said) : propertiesOf(said).length === 0) return;
      await vcardStore(tx).save(account, serialize(toTemp(said, before)));
    };
    return {
      prepare: async ({ id, payload }) => {
        if (payload?.name !== "vcard" || namespaceOf(payload) !== NS.vcard4) throw refusal("invalid-payload");
        return { id: id ?? cardId, payload };
      },
      stored: (tx, { service }, item) => follow(tx, service, item.payload!),
      removed: async (tx, { service, node }) => {
        const [left] = await pubsubStore(tx).page(service, node, { limit: 1 }, new Date());
        if (!left) await follow(tx, service, xml("vcard", { xmlns: NS.vcard4 }));
      },
      configured: async () => undefined,
    };
  }
}

async function storedCard(store: Store, account: string): Promise<Element | undefined> {
  const stored = await vcardStore(store).find(account);
  return stored === undefined ? undefined : parseElement(stored);
}

function withoutPhoto(card: Element): Element {
  const bare = xml("vCard", { xmlns: NS.vcard });
  for (const one of children(card)) if (one.name !== "PHOTO") bare.append(copy(one));
  return bare;
}

/** XEP-0153 §4.6: the type is what the bytes are, whatever is written beside them. */
export function pictureIn(photo: Element): Picture | undefined {
  const data = fromBase64(childText(photo, "BINVAL") ?? "");
  if (!data) return undefined;
  const said = childText(photo, "TYPE")?.trim() ?? "";
  return { data, type: imageType(data) ?? (/^image\/[\w.+-]+$/.test(said) ? said : "image/png") };
}
