/** aioxmpp, which reads strictly by its schemas: two people and their devices, and nothing to complain of. */
import { join } from "node:path";
import { ClientActor, pythonClient } from "./client-actor.ts";
import { story } from "./client-story.ts";
import { password } from "./house.ts";
import { missingPython } from "./software.ts";

story("aioxmpp", {
  skip: missingPython("aioxmpp"),
  port: (node) => node.ports.c2s,
  enters: (
    { domain, ports, folder },
    { name, resource, port = ports.c2s, quiet = false, resumes = false },
  ) => {
    const jid = `${name}@${domain}`;
    const ca = join(folder, "cert.pem");
    const login = { jid: `${jid}/${resource}`, password, host: "127.0.0.1", port, ca, quiet, resumes };
    return new ClientActor(jid, pythonClient("aioxmpp_actor.py", login));
  },
  lacks: { archive: "aioxmpp knows no archive (XEP-0313); it gets what waited" },
});
