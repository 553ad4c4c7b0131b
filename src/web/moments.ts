/** Times as people say them. Pages are kept by browsers, so what they say stays true until the page's own next tick. */
import type { Moment } from "../../views/model.ts";
import { formatDateTime } from "../xmpp/datetime.ts";

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

// The node does not know where its readers are; one zone, named, is better than a wrong one.
const zone = { timeZone: "UTC" } as const;
const full = new Intl.DateTimeFormat("en-GB", {
  ...zone,
  weekday: "long",
  day: "numeric",
  month: "long",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  timeZoneName: "short",
});
const dayAndMonth = new Intl.DateTimeFormat("en-GB", { ...zone, day: "numeric", month: "long" });
const dayMonthAndYear = new Intl.DateTimeFormat("en-GB", {
  ...zone,
  day: "numeric",
  month: "long",
  year: "numeric",
});
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

export function moment(at: Date, now: Date): Moment {
  return { iso: formatDateTime(at), full: full.format(at), short: short(at, now) };
}

function short(at: Date, now: Date): string {
  const age = now.getTime() - at.getTime();
  const days = Math.floor(now.getTime() / day) - Math.floor(at.getTime() / day);
  if (age >= 0 && age < minute) return "just now";
  if (age >= 0 && age < hour) return relative.format(-Math.floor(age / minute), "minute");
  if (age >= 0 && age < day) return relative.format(-Math.floor(age / hour), "hour");
  if (days > 0 && days < 7) return relative.format(-days, "day");
  return (at.getUTCFullYear() === now.getUTCFullYear() ? dayAndMonth : dayMonthAndYear).format(at);
}

/**
 * When the words for times that are not after `newest` last changed: each minute in the first hour, each hour in the
 * first day, then each day.
 */
export function lastTick(newest: Date, now: Date): Date {
  const age = now.getTime() - newest.getTime();
  const step = age < hour ? minute : age < day ? hour : day;
  return new Date(Math.floor(now.getTime() / step) * step);
}
