/** Prosody, as Debian has it, in a folder of its own (https://prosody.im/doc/configure). */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { folderFor } from "./house.ts";
import { Daemon, fillIn, freePorts } from "./peers/daemon.ts";
import { password, type StartServer } from "./peers/server.ts";

export const startProsody: StartServer = async (t, place) => {
  const { domain, host, dns, mode, certificate, ca, people } = place;
  const folder = await folderFor(t);
  const [c2s = 0, s2sTls = 0, s2s = 0] = await freePorts(host, place.port === undefined ? 3 : 2, place.port);
  await writeFile(join(folder, "cert.pem"), certificate.cert);
  await writeFile(join(folder, "key.pem"), certificate.key);
  await writeFile(join(folder, "ca.pem"), ca);
  // Its own format on disk: the escaped domain, a table for each account.
  const accounts = join(folder, domain.replaceAll(".", "%2e"), "accounts");
  await mkdir(accounts, { recursive: true });
  for (const name of people) {
    await writeFile(join(accounts, `${name}.dat`), `return { ["password"] = "${password}" };\n`);
  }
  const config = await fillIn("prosody.cfg.lua", folder, {
    ...{ folder, domain, host, c2s, s2s, s2sTls },
    // libunbound's way to write a port.
    dns: dns.replace(":", "@"),
    modules: mode.proof === "dialback" ? `"dialback"` : mode.bidi ? `"s2s_bidi"` : "",
    disabled: mode.proof === "certificate" ? `"dialback"` : "",
    secure: mode.proof === "certificate",
  });
  const daemon = await Daemon.start(t, {
    folder,
    command: ["prosody", "-F", "--config", config],
    ready: /Activated service 's2s_direct_tls' on .+/,
  });
  return {
    name: "Prosody",
    ports: { c2s, s2s, s2sTls },
    output: () => daemon.output,
    asksForAddresses: true,
    stops: (signal) => daemon.stops(signal),
    starts: () => daemon.starts(),
    streams: () => daemon.count(/(Incoming|Outgoing) s2s connection \S+ complete/g),
  };
};
