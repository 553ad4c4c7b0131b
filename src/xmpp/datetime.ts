/** XEP-0082: moments as text. */

/** The DateTime profile in UTC (§3.2); milliseconds only where there are some. */
export function formatDateTime(moment: Date): string {
  return moment.toISOString().replace(".000Z", "Z");
}

// XML Schema's dateTime, which §3.2 defers to, for the years 0000 to 9999.
const dateTime =
  /^(\d{4}-(?:0[1-9]|1[0-2])-(\d{2})T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)(\.\d+)?(?:Z|([+-])(0\d|1[0-4]):([0-5]\d))$/;

/** The moment, to the millisecond; `undefined` where the text is not a DateTime or there is no such day. */
export function parseDateTime(value: string): Date | undefined {
  const [matched, seconds, day, fraction, sign, hours, minutes] = dateTime.exec(value.trim()) ?? [];
  if (matched === undefined) return undefined;
  const local = new Date(`${seconds}Z`);
  if (local.getUTCDate() !== Number(day)) return undefined;
  const offset = sign ? Number(`${sign}1`) * (Number(hours) * 60 + Number(minutes)) : 0;
  const milliseconds = Number((fraction ?? "").slice(1, 4).padEnd(3, "0"));
  return new Date(local.getTime() - offset * 60_000 + milliseconds);
}
