/** The bytes of uploads, one file each under a name that nobody can guess and that says nothing of who brought it. */
import { constants, type Dirent } from "node:fs";
import { mkdir, open, opendir, rename, rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** What the database and everything else may still write when uploads are refused, in bytes. */
const reserve = 256 * 1024 ** 2;
/** Files looked at together when the folder is cleared. */
const batchSize = 500;

/** Widths of a picture's previews, in pixels: what a phone shows, and twice the column in which posts stand. */
export const previewWidths = [640, 1_280] as const;
export type PreviewWidth = (typeof previewWidths)[number];

export const previewVariant = (width: PreviewWidth): string => `${width}.webp`;

/** Everything that there may be of a file. */
const variants = [undefined, "part", ...previewWidths.map(previewVariant)];

/** Why an upload was not taken. */
export type UploadFault =
  /** No slot has this address, or its time is over. */
  | "unknown"
  /** Something was put there already, or is just now. */
  | "taken"
  | "no-length"
  | "too-long"
  | "too-short"
  | "other-type"
  /** The sender went away. */
  | "interrupted"
  | "disk-full";

export class UploadRefused extends Error {
  override readonly name = "UploadRefused";
  readonly fault: UploadFault;

  constructor(fault: UploadFault, cause?: unknown) {
    super(fault, { cause });
    this.fault = fault;
  }
}

export class UploadFiles {
  readonly #data: string;
  readonly #folder: string;

  /** `data` is the data directory. */
  constructor(data: string) {
    this.#data = data;
    this.#folder = join(data, "uploads");
  }

  /** Where a whole file is, or a variant of it. */
  path(id: string, variant?: string): string {
    return join(this.#folder, variant === undefined ? id : `${id}.${variant}`);
  }

  /** Whether the disk has room for so many bytes more. */
  async hasRoom(bytes: number): Promise<boolean> {
    const { bavail, bsize } = await statfs(this.#data);
    return bavail * bsize - reserve >= bytes;
  }

  /** Writes a file of exactly that size; it is whole and durable, or it is not there. Throws `UploadRefused`. */
  async write(id: string, size: number, body: AsyncIterable<Uint8Array>): Promise<void> {
    const part = this.path(id, "part");
    try {
      const file = await open(part, "w", 0o600);
      try {
        await writeFile(file, exactly(size, body));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(part, this.path(id));
      await this.#syncFolder();
    } catch (error) {
      await this.remove([id]);
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOSPC" || code === "EDQUOT") throw new UploadRefused("disk-full", error);
      throw error;
    }
  }

  /** Removes files with all that was made of them. */
  async remove(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      for (const variant of variants) await rm(this.path(id, variant), { force: true });
    }
  }

  /** Makes the folder where it is missing, and removes from it what `known` does not name, and what is in parts. */
  async clear(known: (ids: readonly string[]) => Promise<ReadonlySet<string>>): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    let batch: Dirent[] = [];
    const clearBatch = async (): Promise<void> => {
      const kept = await known(batch.map(({ name }) => idOf(name)));
      for (const { name } of batch) {
        if (name.endsWith(".part") || !kept.has(idOf(name)))
          await rm(join(this.#folder, name), { force: true, recursive: true });
      }
      batch = [];
    };
    for await (const entry of await opendir(this.#folder)) {
      batch.push(entry);
      if (batch.length >= batchSize) await clearBatch();
    }
    await clearBatch();
  }

  /** A new name survives a loss of power only with its folder. */
  async #syncFolder(): Promise<void> {
    const folder = await open(this.#folder, constants.O_RDONLY);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
}

const idOf = (name: string): string => name.split(".", 1)[0]!;

/** The chunks of a body that has so many bytes, neither more nor less. */
async function* exactly(size: number, body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let received = 0;
  const chunks = body[Symbol.asyncIterator]();
  for (;;) {
    const { done, value } = await chunks.next().catch((error: unknown) => {
      throw new UploadRefused("interrupted", error);
    });
    if (done === true) break;
    received += value.byteLength;
    if (received > size) throw new UploadRefused("too-long");
    yield value;
  }
  if (received < size) throw new UploadRefused("too-short");
}
