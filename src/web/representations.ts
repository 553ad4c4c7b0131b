/** Pages and feeds on their way out: validated first, rendered once for each change, compressed once. */
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Context } from "hono";
import { isCurrent, lastModified } from "./conditional.ts";

/** What can be asked for at one address. */
export interface Resource {
  readonly type: string;
  /** Everything that tells its representation from others: the kind of thing, the scope, the page. */
  readonly key: readonly (string | undefined)[];
  /** Grows with each change of the content. */
  readonly changes: number;
  readonly changedAt: Date;
  readonly cacheControl: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text, or the bytes of a picture. */
  render(): string | Uint8Array | Promise<string>;
}

interface Rendered {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly gzip: Uint8Array<ArrayBuffer> | undefined;
}

interface Kept {
  readonly promise: Promise<Rendered>;
  /** 0 until it is rendered. */
  bytes: number;
}

/** What is smaller fits into one packet as it is. */
const gzipMinimum = 1_024;
const compress = promisify(gzip);

export class Representations {
  readonly #version: string;
  readonly #maximum: number;
  /** Least recently used first. */
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  /** `version` stands for everything that shapes a representation beside its content; `maximum` bytes are kept. */
  constructor(version: string, maximum: number) {
    this.#version = version;
    this.#maximum = maximum;
  }

  /** 304 before any work where the client is up to date, else the representation, from memory where it can be. */
  async answer(c: Context, resource: Resource): Promise<Response> {
    const hash = createHash("sha256");
    hash.update(JSON.stringify([this.#version, resource.key, resource.changes]));
    const id = hash.digest("base64url").slice(0, 22);
    const zipped = acceptsGzip(c.req.header("accept-encoding"));
    // Strong validators tell encodings apart (RFC 9110 §8.8.3.3).
    const etag = zipped ? `"${id}-gzip"` : `"${id}"`;
    const headers = {
      ETag: etag,
      "Last-Modified": lastModified(resource.changedAt, new Date()),
      "Cache-Control": resource.cacheControl,
      Vary: "Accept-Encoding",
      ...resource.headers,
    };
    if (isCurrent(c.req.raw.headers, { etag, changedAt: resource.changedAt }))
      return c.body(null, 304, headers);

    const { body, gzip } = await this.#rendered(id, resource);
    const chosen = zipped && gzip ? gzip : body;
    return c.body(chosen, 200, {
      ...headers,
      "Content-Type": resource.type,
      "Content-Length": String(chosen.length),
      ...(chosen === gzip && { "Content-Encoding": "gzip" }),
    });
  }

  #rendered(id: string, resource: Resource): Promise<Rendered> {
    const kept = this.#kept.get(id) ?? { promise: rendered(resource), bytes: 0 };
    const isNew = !this.#kept.delete(id);
    this.#kept.set(id, kept);
    if (isNew) void this.#account(id, kept);
    return kept.promise;
  }

  async #account(id: string, kept: Kept): Promise<void> {
    const done = await kept.promise.catch(() => undefined);
    if (this.#kept.get(id) !== kept) return;
    if (!done) return void this.#kept.delete(id);
    kept.bytes = done.body.length + (done.gzip?.length ?? 0);
    this.#bytes += kept.bytes;
    for (const [oldest, { bytes }] of this.#kept) {
      if (this.#bytes <= this.#maximum) break;
      this.#kept.delete(oldest);
      this.#bytes -= bytes;
    }
  }
}

async function rendered(resource: Resource): Promise<Rendered> {
  const made = await resource.render();
  if (typeof made !== "string") return { body: new Uint8Array(made), gzip: undefined };
  const body = new TextEncoder().encode(made);
  const small = body.length < gzipMinimum;
  return { body, gzip: small ? undefined : new Uint8Array(await compress(body)) };
}

/** RFC 9110 §12.5.3, for the one coding offered. */
function acceptsGzip(header = ""): boolean {
  const codings = header
    .toLowerCase()
    .split(",")
    .map((part) => part.split(";").map((text) => text.trim()));
  const gzip = codings.find(([coding]) => coding === "gzip") ?? codings.find(([coding]) => coding === "*");
  return gzip !== undefined && !gzip.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
}
