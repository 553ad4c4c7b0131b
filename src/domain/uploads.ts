/**
 * XEP-0363 without its stanzas and without HTTP: slots, the files that are put there, and when they go. Each purpose has
 * terms of its own, for an attachment is fetched once by each device, and the picture in a post is read for years.
 */
import { randomBytes } from "node:crypto";
import { stat } from "node:fs/promises";
import type { Config } from "../config.ts";
import type { Events } from "../events.ts";
import type { Logger } from "../log.ts";
import type { PubSubEvents } from "../pubsub/events.ts";
import type { Store } from "../store/store.ts";
import { uploadStore, weightOf, type UploadPurpose, type UploadRow } from "../store/uploads.ts";
import { StanzaError } from "../xmpp/errors.ts";
import type { DomainEvents } from "./events.ts";
import { UploadFiles, UploadRefused, type PreviewWidth } from "./upload-files.ts";
import { UploadLinks } from "./upload-links.ts";
import { encodedName, uploadName } from "./upload-name.ts";
import { UploadPreviews } from "./upload-previews.ts";
import { endOf, overQuota, termsOf, tooLarge, type UploadTerms } from "./upload-terms.ts";

/** What §9 recommends: nobody waits between the slot and the upload. In milliseconds, as all times here. */
const slotLifetime = 300_000;
/** Bytes of the link that nobody can guess (§11.3). */
const secretBytes = 18;
/** Files that are removed together: the store and the disk are for others in between. */
const batchSize = 100;

/** RFC 9110 §8.3.1; neither half of it is longer than 127 characters (RFC 6838 §4.2). */
export const mediaType = /^[\w!#$&^.+-]{1,127}\/[\w!#$&^.+-]{1,127}(?:[ \t]*;[\x20-\x7e]{0,255})?$/;

export interface UploadWish {
  /** As the client calls it. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Media type, if the client says one. */
  readonly type: string | undefined;
  readonly purpose: UploadPurpose;
  /** `ephemeral` only: from then on nobody gets it. */
  readonly expireBefore?: Date | undefined;
}

/** A file that is there. */
export interface Upload {
  readonly id: string;
  readonly name: string;
  readonly size: number;
  readonly type: string;
  readonly uploadedAt: Date;
  /** `undefined`: when nothing here refers to it any more, or never. */
  readonly expiresAt: Date | undefined;
}

export interface UploadsOptions {
  readonly config: Pick<Config, "data" | "url" | "upload">;
  readonly store: Store;
  readonly events: Events<DomainEvents & PubSubEvents>;
  readonly log: Logger;
  readonly now?: () => Date;
}

export class Uploads {
  readonly #store: Store;
  readonly #rows: ReturnType<typeof uploadStore>;
  readonly #files: UploadFiles;
  readonly #previews: UploadPreviews;
  readonly #links: UploadLinks;
  readonly #config: Config["upload"];
  readonly #base: string;
  readonly #log: Logger;
  readonly #now: () => Date;
  /** What is being received, by id. */
  readonly #receiving = new Map<string, Promise<void>>();
  #cleared: Promise<void> | undefined;
  #removing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor({ config, store, events, log, now = () => new Date() }: UploadsOptions) {
    this.#store = store;
    this.#rows = uploadStore(store);
    this.#files = new UploadFiles(config.data);
    this.#previews = new UploadPreviews(this.#files, log);
    this.#config = config.upload;
    this.#base = `${config.url}/upload/`;
    this.#links = new UploadLinks({ store, events, base: this.#base, now });
    this.#log = log;
    this.#now = now;
    events.on("account.removed", ({ account }) => this.#inTurn(() => this.#removeAll({ account })));
  }

  /** Bytes of the largest file. */
  get maximum(): number {
    return termsOf("message", this.#config).maximum;
  }

  /** A link under which `account` can put the file within five minutes, and where it is then; `StanzaError` (§6). */
  async slot(account: string, { name, size, type, purpose, expireBefore }: UploadWish): Promise<string> {
    const now = this.#now();
    if (expireBefore && expireBefore <= now)
      throw new StanzaError("not-acceptable", { text: "That moment is over" });
    const terms = termsOf(purpose, this.#config);
    if (size > terms.maximum) throw tooLarge(terms.maximum);
    if (!(await this.#files.hasRoom(size)))
      throw new StanzaError("resource-constraint", { text: "The server's disk has no room for this file" });
    const row: UploadRow = {
      ...{ id: randomBytes(secretBytes).toString("base64url"), account, purpose, size },
      ...{ name: uploadName(name), type: type ?? null, uploadedAt: null },
      ...{ expiresAt: new Date(now.getTime() + slotLifetime), expireBefore: expireBefore ?? null },
    };
    const evicted = await this.#store.transaction(async (tx) => {
      const evicted = await this.#makeRoom(tx, row, terms);
      await uploadStore(tx).add(row);
      return evicted;
    });
    await this.#files.remove(evicted);
    return this.#base + row.id + "/" + encodedName(row.name);
  }

  /**
   * Takes the body for a slot, once, and is done when it is safe on disk. `length` and `type` are what the request says
   * of it. Throws `UploadRefused`, and leaves nothing then.
   */
  async receive(
    id: string,
    name: string,
    said: { readonly length: number | undefined; readonly type: string | undefined },
    body: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    // Claimed before anything is awaited: nobody else looks at this slot until it is clear what became of it.
    if (this.#receiving.has(id)) throw new UploadRefused("taken");
    const work = this.#receive(id, name, said, body);
    this.#receiving.set(id, work);
    await work.finally(() => this.#receiving.delete(id));
  }

  async #receive(...[id, name, said, body]: Parameters<Uploads["receive"]>): Promise<void> {
    const row = await this.#find(id, name);
    if (!row) throw new UploadRefused("unknown");
    const { size } = row;
    if (row.uploadedAt) throw new UploadRefused("taken");
    if (said.length === undefined) throw new UploadRefused("no-length");
    if (said.length !== size) throw new UploadRefused(said.length > size ? "too-long" : "too-short");
    if (row.type !== null && spelt(row.type) !== spelt(said.type ?? ""))
      throw new UploadRefused("other-type");
    const type =
      row.type ?? (said.type && mediaType.test(said.type) ? said.type : "application/octet-stream");
    await this.#clear();
    await this.#files.write(id, size, body).catch((error: unknown) => {
      if (error instanceof UploadRefused && error.fault === "disk-full")
        this.#log.warn("an upload was refused: the disk is full");
      throw error;
    });
    const uploadedAt = this.#now();
    const expiresAt = endOf(row, uploadedAt, this.#config);
    const kept = await this.#rows
      .finish(id, { type, uploadedAt, expiresAt })
      .catch(async (error: unknown) => {
        await this.#files.remove([id]);
        throw error;
      });
    if (kept) return;
    await this.#files.remove([id]);
    throw new UploadRefused("unknown");
  }

  /** The file of a link, where it is there. */
  async find(id: string, name: string): Promise<Upload | undefined> {
    const row = await this.#find(id, name);
    if (!row?.uploadedAt || row.type === null) return undefined;
    const { size, type, uploadedAt, expiresAt } = row;
    return { id, name: row.name, size, type, uploadedAt, expiresAt: expiresAt ?? undefined };
  }

  /** Where the bytes are. */
  path({ id }: Upload): string {
    return this.#files.path(id);
  }

  /** A smaller picture without metadata (WebP), where that makes sense and can be made. */
  async preview(upload: Upload, width: PreviewWidth): Promise<{ path: string; size: number } | undefined> {
    const path = await this.#previews.of(upload, width);
    if (path === undefined) return undefined;
    return stat(path).then(
      ({ size }) => ({ path, size }),
      () => undefined,
    );
  }

  /** What `account` says at that place now, instead of what it said there before: its links keep files, or let them go. */
  refer(...said: Parameters<UploadLinks["refer"]>): Promise<void> {
    return this.#links.refer(...said);
  }

  /** Removes what is over, in small batches, and the first time what a crash left behind. To be called now and then. */
  sweep(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#clear();
      await this.#removeAll({ expiredAt: this.#now() });
    });
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#removing;
    await Promise.allSettled([...this.#receiving.values(), this.#previews.idle()]);
  }

  async #find(id: string, name: string): Promise<UploadRow | undefined> {
    const row = await this.#rows.find(id);
    if (!row || row.name !== name.normalize("NFC")) return undefined;
    return row.expiresAt && row.expiresAt <= this.#now() ? undefined : row;
  }

  /**
   * Sees to it that the quota holds with this slot, or throws. Of a profile, files that nothing here shows make room for
   * the new one: the picture before the last, most of the time. Returns what was removed.
   */
  async #makeRoom(
    tx: Store,
    { account, size, purpose }: UploadRow,
    { quota, purposes }: UploadTerms,
  ): Promise<string[]> {
    const rows = uploadStore(tx);
    const evicted: string[] = [];
    for (;;) {
      const missing = (await rows.used(account, purposes)) + weightOf(size) - quota;
      if (missing <= 0) return evicted;
      const [oldest] = purpose === "profile" ? await rows.unlinked(account, purpose, 1) : [];
      if (oldest === undefined) throw overQuota(quota, await rows.freeAt(account, purposes, missing));
      await rows.remove([oldest]);
      evicted.push(oldest);
    }
  }

  /** What a process before this one left: uploads that did not end, files whose row is gone. */
  #clear(): Promise<void> {
    this.#cleared ??= this.#files
      .clear((ids) => this.#rows.uploaded(ids))
      .catch((error: unknown) => {
        this.#cleared = undefined;
        throw error;
      });
    return this.#cleared;
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#removing.then(work);
    this.#removing = done.catch(() => undefined);
    return done;
  }

  /** The rows go first: from then on the links are dead, and a crash leaves files that the next start removes. */
  async #removeAll(which: { account: string } | { expiredAt: Date }): Promise<void> {
    // What an account leaves is removed to the end: nobody would think of it later.
    while (!this.#closed || "account" in which) {
      const found = await this.#rows.some(which, batchSize);
      // A slot that is over while something comes in there ends with that.
      const ids = "account" in which ? found : found.filter((id) => !this.#receiving.has(id));
      if (ids.length === 0) return;
      await this.#rows.remove(ids);
      await this.#files.remove(ids);
      this.#log.debug({ files: ids.length }, "uploads were removed");
    }
  }
}

/** A media type in one spelling: without case, and without blanks between its parts. */
const spelt = (type: string): string =>
  type
    .toLowerCase()
    .replace(/\s*;\s*/g, ";")
    .trim();
