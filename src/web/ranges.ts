/** RFC 9110 §14: a part of a file, for players that jump and downloads that go on. */

/** Positions of the first and last byte, both within the file. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

export interface Whole {
  /** Bytes, one at least. */
  readonly size: number;
  /** Strong, with its quotes. */
  readonly etag: string;
  readonly changedAt: Date;
}

/**
 * The part that a GET asks for; `undefined` where it gets the whole: it names no range, none that is valid, several at
 * once (§14.2 lets a server ignore these), or one of an older version (`If-Range`, §13.1.5).
 */
export function rangeOf(
  headers: Headers,
  { size, etag, changedAt }: Whole,
): ByteRange | "unsatisfiable" | undefined {
  const condition = headers.get("if-range")?.trim();
  if (condition !== undefined && condition !== etag && condition !== changedAt.toUTCString())
    return undefined;
  const [, start = "", end = ""] = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(headers.get("range") ?? "") ?? [];
  if (start === "") {
    if (end === "") return undefined;
    const length = Number(end);
    return length === 0 ? "unsatisfiable" : { first: Math.max(0, size - length), last: size - 1 };
  }
  const first = Number(start);
  if (end !== "" && Number(end) < first) return undefined;
  if (first >= size) return "unsatisfiable";
  return { first, last: end === "" ? size - 1 : Math.min(Number(end), size - 1) };
}
