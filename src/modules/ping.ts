/** XEP-0199: XMPP Ping. Not on accounts of others: an answer would tell which ones exist. */
import { get } from "../server/module.ts";
import { NS } from "../xmpp/ns.ts";
import { defineModule } from "./context.ts";

const pong = (): void => undefined;

export default defineModule({
  name: "ping",
  xeps: ["0199"],
  features: { server: [NS.ping], service: [NS.ping] },
  setup: () => ({
    iq: (["server", "self", "service"] as const).map((target) => get(NS.ping, "ping", target, pong)),
  }),
});
