/** Prosody and ejabberd with each other: that the scenes are sound, and what fails elsewhere fails because of us. */
import { test } from "node:test";
import { startEjabberd } from "./ejabberd.ts";
import { federates } from "./federation.ts";
import { startProsody } from "./prosody.ts";
import { missing, missingPython } from "./software.ts";

const skip = missing("prosody", "ejabberdctl") || missingPython("slixmpp");

for (const proof of ["certificate", "dialback"] as const) {
  for (const transport of ["starttls", "direct"] as const) {
    for (const family of ["IPv4", "IPv6"] as const) {
      test(`Prosody and ejabberd: ${proof}, ${transport}, ${family}`, { skip }, (t) =>
        federates(t, {
          near: startProsody,
          far: startEjabberd,
          mode: { proof, transport, bidi: false, family },
          hosts: ["127.0.0.25", "127.0.0.26"],
        }),
      );
    }
  }
}
