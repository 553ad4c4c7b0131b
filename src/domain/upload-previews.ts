/**
 * Smaller variants of uploaded pictures, for pages: a phone's photo has ten times the bytes that a page can show, and
 * tells where it was taken. The file itself is never changed: it must have the announced size (XEP-0363 §7), and may
 * be encrypted. libvips works in threads of its own, one picture at a time, so that logins and files have theirs.
 */
import { rename, rm, stat } from "node:fs/promises";
import type sharp from "sharp";
import type { Logger } from "../log.ts";
import { previewVariant, type PreviewWidth, type UploadFiles } from "./upload-files.ts";

/** What browsers show everywhere and libvips reads; a GIF would lose its motion. */
const sources = new Set(["image/jpeg", "image/png", "image/webp", "image/avif"]);
const loaders = ["Jpeg", "Png", "Webp", "Heif"].map((name) => `VipsForeignLoad${name}`);
/** The largest that phones make; what claims more is a bomb. */
const pixelsMaximum = 50_000_000;
/** A photo takes a tenth of a second. */
const secondsMaximum = 10;
/** Pictures that wait; whoever asks for more gets the file itself. */
const waitingMaximum = 32;
/** Pictures remembered of which there is no preview. */
const hopelessMaximum = 1_000;

type Sharp = typeof sharp;

export class UploadPreviews {
  readonly #files: UploadFiles;
  readonly #log: Logger;
  readonly #underWay = new Map<string, Promise<string | undefined>>();
  readonly #hopeless = new Set<string>();
  #last: Promise<unknown> = Promise.resolve();
  #sharp: Promise<Sharp | undefined> | undefined;

  constructor(files: UploadFiles, log: Logger) {
    this.#files = files;
    this.#log = log;
  }

  /** The file of a preview; `undefined` where the picture itself is as good, or none can be made. */
  async of({ id, type }: { id: string; type: string }, width: PreviewWidth): Promise<string | undefined> {
    const path = this.#files.path(id, previewVariant(width));
    if (!sources.has(type) || this.#hopeless.has(path)) return undefined;
    if (await exists(path)) return path;
    let work = this.#underWay.get(path);
    if (!work && this.#underWay.size < waitingMaximum) {
      work = this.#last.then(() => this.#make(id, width, path)).finally(() => this.#underWay.delete(path));
      this.#underWay.set(path, work);
      this.#last = work;
    }
    return work;
  }

  /** Waits for those under way. */
  async idle(): Promise<void> {
    await this.#last;
  }

  async #make(id: string, width: PreviewWidth, path: string): Promise<string | undefined> {
    const sharp = await (this.#sharp ??= loadSharp(this.#log));
    if (!sharp) return undefined;
    const part = `${path}.part`;
    try {
      const picture = sharp(this.#files.path(id), { limitInputPixels: pixelsMaximum, sequentialRead: true });
      const { autoOrient, pages = 1 } = await picture.metadata();
      if (pages > 1 || autoOrient.width <= width) return this.#giveUp(path);
      // Without a word of metadata, which is sharp's default; colours become those of the web.
      await picture.autoOrient().resize({ width }).webp().timeout({ seconds: secondsMaximum }).toFile(part);
      await rename(part, path);
      // The picture may have been removed meanwhile, with the previews that there were.
      if (await exists(this.#files.path(id))) return path;
      await rm(path, { force: true });
      return undefined;
    } catch (error) {
      this.#log.debug({ err: error }, "a picture has no preview");
      await rm(part, { force: true });
      return this.#giveUp(path);
    }
  }

  #giveUp(path: string): undefined {
    for (const oldest of this.#hopeless) {
      if (this.#hopeless.size < hopelessMaximum) break;
      this.#hopeless.delete(oldest);
    }
    this.#hopeless.add(path);
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** libvips takes 30 MB, which a node without pictures need not have; and there are machines for which there is none. */
async function loadSharp(log: Logger): Promise<Sharp | undefined> {
  try {
    const { default: sharp } = await import("sharp");
    sharp.block({ operation: ["VipsForeignLoad"] });
    sharp.unblock({ operation: loaders });
    sharp.cache(false);
    sharp.concurrency(1);
    return sharp;
  } catch (error) {
    log.warn({ err: error }, "there are no previews of pictures: sharp does not load");
    return undefined;
  }
}
