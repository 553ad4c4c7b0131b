/** Two Pipits: everything between two people on them, over every kind of stream between them. */
import { test } from "node:test";
import { federates, startPipit } from "./federation.ts";
import { missingPython } from "./software.ts";

const skip = missingPython("slixmpp");

for (const proof of ["certificate", "dialback"] as const) {
  for (const transport of ["starttls", "direct"] as const) {
    for (const family of ["IPv4", "IPv6"] as const) {
      test(`Pipit and Pipit: ${proof}, ${transport}, ${family}`, { skip }, (t) =>
        federates(t, {
          near: startPipit,
          far: startPipit,
          mode: { proof, transport, bidi: true, family },
          hosts: ["127.0.0.1", "127.0.0.1"],
        }),
      );
    }
  }
}
