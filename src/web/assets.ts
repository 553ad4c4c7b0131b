/** The files in `views/static/`, kept in memory. Each has its content's hash in its address and never changes there. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { extname } from "node:path";
import type { Context } from "hono";
import type { Site } from "../../views/model.ts";

const folder = new URL("../../views/static/", import.meta.url);

const types: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
};

type AssetName = keyof Site["asset"] | "favicon.ico" | "icon-512.png";

interface Asset {
  readonly path: string;
  readonly type: string;
  readonly body: Uint8Array<ArrayBuffer>;
}

export class Assets {
  /** By plain name. */
  readonly #files = new Map<string, Asset>();
  readonly #paths = new Map<string, Asset>();

  constructor() {
    for (const name of readdirSync(folder)) {
      const body = new Uint8Array(readFileSync(new URL(name, folder)));
      const hash = createHash("sha256").update(body).digest("base64url").slice(0, 12);
      const extension = extname(name);
      const path = `/static/${name.slice(0, -extension.length)}.${hash}${extension}`;
      const asset = { path, type: types[extension] ?? "application/octet-stream", body };
      this.#files.set(name, asset);
      this.#paths.set(path, asset);
    }
  }

  /** Where a file is. */
  path(name: AssetName): string {
    return this.#file(name).path;
  }

  /** Answers for an address with a hash in it. */
  serve(c: Context): Response | Promise<Response> {
    const asset = this.#paths.get(c.req.path);
    return asset ? answer(c, asset, "public, max-age=31536000, immutable") : c.notFound();
  }

  /** Answers for an address that browsers make up, and that can show something else tomorrow. */
  serveNamed(c: Context, name: AssetName): Response {
    return answer(c, this.#file(name), "public, max-age=86400");
  }

  #file(name: AssetName): Asset {
    const asset = this.#files.get(name);
    if (!asset) throw new Error(`views/static/${name} is missing; was it built?`);
    return asset;
  }
}

function answer(c: Context, { body, type }: Asset, cacheControl: string): Response {
  return c.body(body, 200, {
    "Content-Type": type,
    "Cache-Control": cacheControl,
    // Feed readers on other sites show the icons.
    "Cross-Origin-Resource-Policy": "cross-origin",
  });
}
