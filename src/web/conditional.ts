/** RFC 9110 §13: whether the client holds the current representation already. */

const second = 1_000;

/**
 * What `Last-Modified` says. A second that is not over yet can bring another change, of which a client that sends
 * nothing but `If-Modified-Since` would never learn; until then the second before stands in for it (§8.8.2.2), and
 * does not count as current.
 */
export function lastModified(changedAt: Date, now: Date): string {
  const changed = secondOf(changedAt);
  return new Date((changed < secondOf(now) ? changed : changed - 1) * second).toUTCString();
}

/** Whether 304 is the answer. `If-None-Match` decides alone where it is there (§13.2.2). `etag` has its quotes. */
export function isCurrent(headers: Headers, { etag, changedAt }: { etag: string; changedAt: Date }): boolean {
  const noneMatch = headers.get("if-none-match");
  if (noneMatch !== null) {
    return noneMatch.trim() === "*" || (noneMatch.match(/"[^"]*"/g)?.includes(etag) ?? false);
  }
  const since = parseHttpDate(headers.get("if-modified-since") ?? "");
  return since !== undefined && secondOf(changedAt) * second <= since;
}

const secondOf = (date: Date): number => Math.floor(date.getTime() / second);

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
