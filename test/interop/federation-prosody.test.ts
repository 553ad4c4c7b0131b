/** Prosody and Pipit: everything between two people on them, over every kind of stream between them. */
import { test } from "node:test";
import { federates, startPipit } from "./federation.ts";
import { startProsody } from "./prosody.ts";
import { missing, missingPython } from "./software.ts";

const skip = missing("prosody") || missingPython("slixmpp");

const kinds = {
  certificate: { proof: "certificate", transport: "starttls", bidi: false },
  dialback: { proof: "dialback", transport: "starttls", bidi: false },
  bidi: { proof: "certificate", transport: "starttls", bidi: true },
  "direct TLS": { proof: "certificate", transport: "direct", bidi: false },
} as const;

for (const [name, kind] of Object.entries(kinds)) {
  for (const family of ["IPv4", "IPv6"] as const) {
    test(`Prosody and Pipit: ${name}, ${family}`, { skip }, (t) =>
      federates(t, {
        near: startPipit,
        far: startProsody,
        mode: { ...kind, family },
        hosts: ["127.0.0.11", "127.0.0.21"],
      }),
    );
  }
}
