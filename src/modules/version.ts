/** XEP-0092: Software Version. The operating system is not told (§5). */
import { get } from "../server/module.ts";
import { NS } from "../xmpp/ns.ts";
import { xml, type Element } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";
import { software } from "./software.ts";

function softwareVersion(): Element {
  return xml(
    "query",
    { xmlns: NS.version },
    xml("name", {}, software.name),
    xml("version", {}, software.version),
  );
}

export default defineModule({
  name: "version",
  xeps: ["0092"],
  features: { server: [NS.version], service: [NS.version] },
  setup: () => ({
    iq: [
      get(NS.version, "query", "server", softwareVersion),
      get(NS.version, "query", "service", softwareVersion),
    ],
  }),
});
