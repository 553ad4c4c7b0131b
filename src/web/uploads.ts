/** XEP-0363 §7 to §11 over HTTP: files are put, and fetched. Nothing that people upload may run on this origin. */
import { open } from "node:fs/promises";
import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { previewWidths, UploadRefused, type UploadFault } from "../domain/upload-files.ts";
import { encodedName } from "../domain/upload-name.ts";
import type { Upload, Uploads } from "../domain/uploads.ts";
import { isCurrent } from "./conditional.ts";
import { rangeOf, type ByteRange } from "./ranges.ts";

/** How long a sender may be silent before it is taken for gone, in milliseconds. */
const silenceMaximum = 60_000;
/** Bytes that are read from disk at once. */
const chunkSize = 256 * 1024;
/** A year, in seconds: the bytes under a link never change. */
const ageMaximum = 31_536_000;
/** How long browsers remember what web clients may do here, in seconds. */
const preflightAge = 86_400;

const status: Readonly<Record<UploadFault, ContentfulStatusCode>> = {
  unknown: 404,
  taken: 409,
  "no-length": 411,
  "too-long": 413,
  "too-short": 400,
  "other-type": 415,
  interrupted: 400,
  "disk-full": 507,
};

const said: Readonly<Record<UploadFault, string>> = {
  unknown: "There is no such upload, or it is too late for it.",
  taken: "Something is here already.",
  "no-length": "The Content-Length is missing.",
  "too-long": "This is larger than was announced.",
  "too-short": "This is smaller than was announced.",
  "other-type": "This is not of the type that was announced.",
  interrupted: "The upload did not end.",
  "disk-full": "The disk is full.",
};

/** What browsers show without running anything of it (SVG and all XML can have scripts); all else is for the disk. */
const shown =
  /^(?:image\/(?:jpeg|png|gif|webp|avif|apng|bmp|jxl|heic|heif)|(?:audio|video)\/(?!.*\+xml$)[\w.+-]+)$/;
/** A page of this origin may load what has these types, even if somebody smuggled the reference in. */
const loadable = /script|\/css$/;

export function uploads(files: Uploads) {
  /** Web clients of whatever origin put and fetch (§9); no cookie is of any use here. */
  const openToAll = (c: Context): void => c.header("Access-Control-Allow-Origin", "*");

  const missing = (c: Context): Response => c.text("There is no such file.\n", 404);

  return {
    async take(c: Context): Promise<Response> {
      openToAll(c);
      // RFC 9110 §14.5: a part that is taken for the whole would spoil it.
      if (c.req.header("content-range") !== undefined) return c.text("Only whole files are taken.\n", 400);
      const { id = "", name = "" } = c.req.param();
      const length = c.req.header("content-length");
      const announced = {
        length: length === undefined ? undefined : Number(length),
        type: c.req.header("content-type"),
      };
      try {
        await files.receive(id, name, announced, bodyOf(c));
      } catch (error) {
        if (!(error instanceof UploadRefused)) throw error;
        return c.text(`${said[error.fault]}\n`, status[error.fault]);
      }
      return c.body(null, 201);
    },

    async show(c: Context): Promise<Response> {
      openToAll(c);
      const { id = "", name = "" } = c.req.param();
      const upload = await files.find(id, name);
      if (!upload) return missing(c);
      const variant = await variantOf(upload, c.req.query("w"));
      const { size, etag } = variant;
      const changedAt = upload.uploadedAt;
      const headers = {
        // A 304 takes the place of what was said before (RFC 9111 §4.3.4), so it says it too.
        "Content-Security-Policy": policyOf(variant.type),
        "Cross-Origin-Resource-Policy": "cross-origin",
        // Who has the link has the file.
        "Referrer-Policy": "no-referrer",
        "Access-Control-Expose-Headers": "Content-Range, Accept-Ranges, ETag",
        "Cache-Control": `public, max-age=${ageOf(upload)}, immutable`,
        "Last-Modified": changedAt.toUTCString(),
        ETag: etag,
      };
      const { headers: asked, method } = c.req.raw;
      if (isCurrent(asked, { etag, changedAt })) return c.body(null, 304, headers);
      // §14.2: only GET has ranges.
      const range = method === "GET" ? rangeOf(asked, { size, etag, changedAt }) : undefined;
      if (range === "unsatisfiable") {
        return c.text("The file is not that long.\n", 416, { "Content-Range": `bytes */${size}` });
      }
      const { first, last } = range ?? { first: 0, last: size - 1 };
      const body = method === "HEAD" ? null : await bytesOf(variant.path, { first, last });
      if (body === undefined) return missing(c);
      const content = {
        ...headers,
        ...contentHeaders(upload.name, variant.type),
        "Accept-Ranges": "bytes",
        "Content-Length": String(last - first + 1),
        ...(range && { "Content-Range": `bytes ${first}-${last}/${size}` }),
      };
      return body ? c.body(body, range ? 206 : 200, content) : c.body(null, 200, content);
    },

    preflight(c: Context): Response {
      openToAll(c);
      return c.body(null, 204, {
        "Access-Control-Allow-Methods": "OPTIONS, HEAD, GET, PUT",
        "Access-Control-Allow-Headers": "Authorization, Content-Type, Range, If-Range",
        "Access-Control-Max-Age": String(preflightAge),
      });
    },
  };

  /** The file, or a preview of it where `?w=` asks for one that there can be. */
  async function variantOf(upload: Upload, wish: string | undefined) {
    const width = previewWidths.find((one) => String(one) === wish);
    const preview = width && (await files.preview(upload, width));
    if (preview) return { ...preview, type: "image/webp", etag: `"${upload.id}-${width}"` };
    return { path: files.path(upload), size: upload.size, type: upload.type, etag: `"${upload.id}"` };
  }
}

const essenceOf = (type: string): string => type.split(";", 1)[0]!.trim().toLowerCase();

/** §11.1. What a browser shows of a sound or a film is a page that loads it once more. */
const policyOf = (type: string): string =>
  /^(?:audio|video)\//.test(essenceOf(type))
    ? "default-src 'none'; media-src 'self'; frame-ancestors 'none'"
    : "default-src 'none'; frame-ancestors 'none'";

function contentHeaders(name: string, type: string): Record<string, string> {
  const essence = essenceOf(type);
  const plain = name.replace(/[^\x20-\x7e]|["\\]/g, "_");
  return {
    "Content-Type": loadable.test(essence) ? "application/octet-stream" : type,
    "Content-Disposition": `${shown.test(essence) ? "inline" : "attachment"}; filename="${plain}"; filename*=UTF-8''${encodedName(name)}`,
  };
}

/** Seconds for which a copy may be kept: none outlives the file. */
function ageOf({ expiresAt }: Upload): number {
  const left = expiresAt ? Math.floor((expiresAt.getTime() - Date.now()) / 1_000) : ageMaximum;
  return Math.max(0, Math.min(left, ageMaximum));
}

/** The body as it comes in. Read from the socket itself, which waits for the disk; a web stream would not. */
function bodyOf(c: Context): AsyncIterable<Uint8Array> {
  const { incoming } = c.env as Partial<HttpBindings>;
  if (!incoming) return c.req.raw.body ?? new ReadableStream();
  incoming.setTimeout(silenceMaximum);
  return incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
}

/** Bytes of a file, read as they are wanted; `undefined` where it is gone. */
async function bytesOf(path: string, { first, last }: ByteRange): Promise<ReadableStream | undefined> {
  const file = await open(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  if (!file) return undefined;
  let at = first;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const length = Math.min(chunkSize, last + 1 - at);
        const { bytesRead, buffer } = await file.read(new Uint8Array(length), 0, length, at);
        at += bytesRead;
        if (bytesRead > 0) controller.enqueue(buffer.subarray(0, bytesRead));
        else controller.error(new Error(`${path} is shorter than it was`));
        if (bytesRead > 0 && at <= last) return;
        await file.close();
        if (bytesRead > 0) controller.close();
      },
      cancel: () => file.close(),
    },
    { highWaterMark: 0 },
  );
}
