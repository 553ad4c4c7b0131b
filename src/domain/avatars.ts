/**
 * XEP-0084: the avatars of accounts, as their pubsub nodes hold them. All that shows one (a vCard, presence, a web page)
 * asks here, and who may see it is decided by the node of the pictures.
 */
import type { Events } from "../events.ts";
import { openAccess } from "../pubsub/config.ts";
import { refusal } from "../pubsub/errors.ts";
import type { PubSubEvents } from "../pubsub/events.ts";
import type { Projection, PubSub } from "../pubsub/pubsub.ts";
import { fromBase64, imageHash, imageType } from "../xmpp/image.ts";
import { newId } from "../xmpp/id.ts";
import { parseJid, type Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, children, namespaceOf, text, xml, type Element } from "../xmpp/xml.ts";
import type { DomainEvents } from "./events.ts";

export interface Picture {
  readonly type: string;
  readonly data: Buffer;
}

export interface Avatar extends Picture {
  /** SHA-1, in lower-case hexadecimal digits. */
  readonly hash: string;
  readonly publishedAt: Date;
}

/** `""`: there is none any more, and those who see the account shall know. `undefined`: there never was one. */
export type AvatarHash = string | undefined;

/** Accounts whose hash is in memory; beyond that, the one asked for longest ago is read anew. */
const hashesKept = 10_000;

export class Avatars {
  readonly #events: Events<DomainEvents & PubSubEvents>;
  readonly #pubsub: PubSub;
  /** Longest in memory first. */
  readonly #hashes = new Map<string, AvatarHash | Promise<AvatarHash>>();

  constructor({ events, pubsub }: { events: Events<DomainEvents & PubSubEvents>; pubsub: PubSub }) {
    this.#events = events;
    this.#pubsub = pubsub;
    pubsub.project(NS.avatarData, checking(checkData));
    pubsub.project(NS.avatarMetadata, checking(checkMetadata));
    for (const name of ["pubsub.published", "pubsub.retracted", "pubsub.purged", "pubsub.deleted"] as const) {
      // A picture comes before what tells of it, and takes the place of the one that was told of until then.
      const isGone = name === "pubsub.purged" || name === "pubsub.deleted";
      events.on(name, async ({ node: { node, service } }) => {
        if (node === NS.avatarMetadata || (node === NS.avatarData && (isGone || (await this.#find(service)))))
          await this.#changed(service);
      });
    }
  }

  /** What presence says of an account's avatar (XEP-0153); at once where it is in memory. */
  hash(account: string): AvatarHash | Promise<AvatarHash> {
    if (this.#hashes.has(account)) return this.#hashes.get(account);
    return this.#read(account);
  }

  /** The avatar as somebody sees it; without a viewer, as everybody does. */
  async seenBy(account: string, viewer: Jid | undefined): Promise<Avatar | undefined> {
    const hash = await this.hash(account);
    const node = hash ? await this.#pubsub.find(account, NS.avatarData) : undefined;
    if (!hash || !node || !(await this.#pubsub.mayRead(node, viewer))) return undefined;
    const item = await this.#pubsub.item(account, NS.avatarData, hash);
    const data = item?.payload && fromBase64(text(item.payload));
    if (!data) return undefined;
    const type = imageType(data) ?? (await this.#typeOf(account, hash));
    return { hash, data, type, publishedAt: item.publishedAt };
  }

  /** Publishes a picture as the account's avatar; everybody may see it where nothing else was decided yet. */
  async set(account: string, { type, data }: Picture): Promise<void> {
    const id = imageHash(data);
    const publisher = parseJid(account)!;
    const publish = async (node: string, payload: Element): Promise<void> => {
      const options = (await this.#pubsub.find(account, node)) ? undefined : openAccess;
      await this.#pubsub.publish({ service: account, node, publisher, items: [{ id, payload }], options });
    };
    await publish(NS.avatarData, xml("data", { xmlns: NS.avatarData }, data.toString("base64")));
    const info = xml("info", { id, bytes: String(data.length), type });
    await publish(NS.avatarMetadata, xml("metadata", { xmlns: NS.avatarMetadata }, info));
  }

  /** Takes the avatar away (§3.5). */
  async clear(account: string): Promise<void> {
    const items = [{ payload: xml("metadata", { xmlns: NS.avatarMetadata }) }];
    const publisher = parseJid(account)!;
    await this.#pubsub.publish({ service: account, node: NS.avatarMetadata, publisher, items });
  }

  /** What is stored of an account was written by other ways. */
  forget(account: string): void {
    this.#hashes.delete(account);
  }

  #read(account: string): Promise<AvatarHash> {
    const reading = this.#find(account);
    this.#hashes.delete(account);
    this.#hashes.set(account, reading);
    for (const oldest of this.#hashes.keys()) {
      if (this.#hashes.size <= hashesKept) break;
      this.#hashes.delete(oldest);
    }
    const done = (hash: AvatarHash, isKnown: boolean): void => {
      if (this.#hashes.get(account) !== reading) return;
      if (isKnown) this.#hashes.set(account, hash);
      else this.#hashes.delete(account);
    };
    reading.then(
      (hash) => done(hash, true),
      () => done(undefined, false),
    );
    return reading;
  }

  /** Of the pictures that the newest metadata tell of, the one that is here and not at a URL (XEP-0398 §3.1). */
  async #find(account: string): Promise<AvatarHash> {
    const node = await this.#pubsub.find(account, NS.avatarMetadata);
    const item = node && (await this.#pubsub.items.last(node));
    if (!item) return undefined;
    for (const info of infosOf(item.payload)) {
      const hash = attr(info, "id")?.toLowerCase() ?? "";
      const isHere = attr(info, "url") === undefined;
      if (isHere && (await this.#pubsub.item(account, NS.avatarData, hash))) return hash;
    }
    return "";
  }

  async #typeOf(account: string, hash: string): Promise<string> {
    const node = await this.#pubsub.find(account, NS.avatarMetadata);
    const item = node && (await this.#pubsub.items.last(node));
    const info = infosOf(item?.payload).find((one) => attr(one, "id")?.toLowerCase() === hash);
    return (info && attr(info, "type")) ?? "image/png";
  }

  async #changed(account: string): Promise<void> {
    const before = await this.#hashes.get(account);
    const hash = (await this.#read(account)) ?? "";
    if (hash !== (before ?? "")) this.#events.emit("avatar.changed", { account });
    // Contacts shall learn that it is gone, even where no item says so.
    if (before && hash === "" && this.#hashes.has(account)) this.#hashes.set(account, "");
  }
}

const infosOf = (metadata: Element | undefined): Element[] => (metadata ? children(metadata, "info") : []);

type Check = (id: string | undefined, payload: Element | undefined) => string | undefined;

/** Nothing but a look at what comes in; it gives the item its id. */
function checking(check: Check): Projection {
  const nothing = async (): Promise<void> => undefined;
  return {
    prepare: async ({ id, payload }) => ({ id: check(id, payload) ?? newId(), payload }),
    ...{ stored: nothing, removed: nothing, configured: nothing },
  };
}

/** §4.1: the item is named by the digest of the picture; one that is not would be somebody else's in every cache. */
function checkData(id: string | undefined, payload: Element | undefined): string {
  const isData = payload?.name === "data" && namespaceOf(payload) === NS.avatarData;
  const data = isData ? fromBase64(text(payload)) : undefined;
  if (!data) throw refusal("invalid-payload", "There is no picture in base64");
  const hash = imageHash(data);
  if (id !== undefined && id.toLowerCase() !== hash)
    throw refusal("invalid-payload", "The id is not the SHA-1 digest of the picture");
  return hash;
}

/** §4.2 */
function checkMetadata(id: string | undefined, payload: Element | undefined): string | undefined {
  if (payload?.name !== "metadata" || namespaceOf(payload) !== NS.avatarMetadata)
    throw refusal("invalid-payload");
  for (const info of infosOf(payload)) {
    const { id: hash = "", bytes = "", type = "" } = info.attrs as Record<string, string | undefined>;
    if (!/^[\da-f]{40}$/i.test(hash) || !/^[1-9]\d{0,8}$/.test(bytes) || !/^image\/[\w.+-]+$/.test(type))
      throw refusal("invalid-payload", "An avatar has an id (SHA-1), a type (image/…) and its bytes");
  }
  return id;
}
