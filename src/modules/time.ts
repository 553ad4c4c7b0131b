/** XEP-0202: Entity Time. */
import { get } from "../server/module.ts";
import { formatDateTime } from "../xmpp/datetime.ts";
import { NS } from "../xmpp/ns.ts";
import { xml, type Element } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";

function time(): Element {
  const now = new Date();
  return xml(
    "time",
    { xmlns: NS.time },
    xml("tzo", {}, timeZone(-now.getTimezoneOffset())),
    xml("utc", {}, formatDateTime(now)),
  );
}

/** An offset from UTC in minutes as `+05:30` (XEP-0082 §3.2). */
export function timeZone(offset: number): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const minutes = Math.abs(offset);
  return `${offset < 0 ? "-" : "+"}${two(Math.trunc(minutes / 60))}:${two(minutes % 60)}`;
}

export default defineModule({
  name: "time",
  xeps: ["0202"],
  features: { server: [NS.time], service: [NS.time] },
  setup: () => ({
    iq: [get(NS.time, "time", "server", time), get(NS.time, "time", "service", time)],
  }),
});
