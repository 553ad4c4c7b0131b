/** RFC 9110 §13: whether the client holds the current representation already. */

export interface Validators {
  /** Strong, in its quotes. */
  readonly etag: string;
  /** Whole seconds; see `lastModified`. */
  readonly lastModified: Date;
}

const second = 1_000;

/**
 * The time for `Last-Modified`. A second that is not over yet can bring another change, which a client that sends
 * nothing but `If-Modified-Since` would never learn of; until then the second before stands in for it (§8.8.2.2).
 */
export function lastModified(changedAt: Date, now: Date): Date {
  const changed = Math.floor(changedAt.getTime() / second);
  const current = Math.floor(now.getTime() / second);
  return new Date((changed < current ? changed : current - 1) * second);
}

/** Whether 304 is the answer. `If-None-Match` decides alone where it is there (§13.2.2). */
export function isCurrent(headers: Headers, { etag, lastModified }: Validators): boolean {
  const noneMatch = headers.get("if-none-match");
  if (noneMatch !== null) {
    return noneMatch.trim() === "*" || (noneMatch.match(/"[^"]*"/g)?.includes(etag) ?? false);
  }
  const since = parseHttpDate(headers.get("if-modified-since") ?? "");
  return since !== undefined && lastModified.getTime() <= since;
}

const imfDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
const rfc850Date = /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/;
const asctimeDate = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/;

/** Milliseconds of an HTTP-date in any of its three forms (§5.6.7); anything else must be ignored. */
function parseHttpDate(value: string): number | undefined {
  const date = value.trim();
  if (imfDate.test(date) || rfc850Date.test(date)) return timeOf(date);
  return asctimeDate.test(date) ? timeOf(`${date} GMT`) : undefined;
}

function timeOf(date: string): number | undefined {
  const time = Date.parse(date);
  return Number.isNaN(time) ? undefined : time;
}
