/**
 * ejabberd and Pipit: everything between two people on them, over every kind of stream between them. Debian's ejabberd
 * (23.01) has no stanzas in both directions on one stream (XEP-0288).
 */
import { test } from "node:test";
import { startEjabberd } from "./ejabberd.ts";
import { federates, startPipit } from "./federation.ts";
import { missing, missingPython } from "./software.ts";

const skip = missing("ejabberdctl") || missingPython("slixmpp");

const kinds = {
  certificate: { proof: "certificate", transport: "starttls", bidi: false },
  dialback: { proof: "dialback", transport: "starttls", bidi: false },
  "direct TLS": { proof: "certificate", transport: "direct", bidi: false },
} as const;

for (const [name, kind] of Object.entries(kinds)) {
  for (const family of ["IPv4", "IPv6"] as const) {
    test(`ejabberd and Pipit: ${name}, ${family}`, { skip }, (t) =>
      federates(t, {
        near: startPipit,
        far: startEjabberd,
        mode: { ...kind, family },
        hosts: ["127.0.0.12", "127.0.0.22"],
      }),
    );
  }
}
