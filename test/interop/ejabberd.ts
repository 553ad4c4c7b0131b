/** ejabberd, as Debian has it, in a folder of its own and without Erlang's distribution (https://docs.ejabberd.im). */
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { folderFor } from "./house.ts";
import { Daemon, fillIn, freePorts } from "./peers/daemon.ts";
import { password, type StartServer } from "./peers/server.ts";

/** Makes the accounts that are not there yet once it runs, in its own shell: `ejabberdctl` would need the distribution. */
function registration(domain: string, people: readonly string[]): string {
  const accounts = people.map(
    (name) =>
      `ejabberd_auth:try_register(<<"${name}">>, <<"${domain}">>, <<"${password}">>), ` +
      `true = ejabberd_auth:user_exists(<<"${name}">>, <<"${domain}">>)`,
  );
  return `${accounts.join(", ")}, io:format("people are there~n").`;
}

/** By itself it tells nobody elsewhere what a node has (before 26.01), nor what is retracted. */
const told =
  '{ "urn:xmpp:microblog:0": { max_items: 100, notify_retract: true, presence_based_delivery: false } }';

/** Debian has Erlang's applications in the folder of the machine's architecture. */
export async function libraries(): Promise<string[]> {
  const folders = await readdir("/usr/lib");
  return folders.filter((name) => name.includes("-linux-gnu")).map((name) => join("/usr/lib", name));
}

export const startEjabberd: StartServer = async (t, place) => {
  const { domain, host, dns, mode, certificate, ca, people } = place;
  const folder = await folderFor(t);
  const [c2s = 0, s2sTls = 0, s2s = 0] = await freePorts(host, place.port === undefined ? 3 : 2, place.port);
  await writeFile(join(folder, "server.pem"), certificate.cert + certificate.key);
  await writeFile(join(folder, "ca.pem"), ca);
  const config = await fillIn("ejabberd.yml", folder, {
    ...{ folder, domain, host, c2s, s2s, s2sTls },
    blog: place.stock ? "{}" : told,
    modules: mode.proof === "dialback" ? "mod_s2s_dialback: {}" : "",
  });
  const inetrc = await fillIn("inetrc", folder, { dnsPort: dns.slice(dns.indexOf(":") + 1) });
  const daemon = await Daemon.start(t, {
    folder,
    // With its shell on our pipe it ends with us, whatever happens.
    command: [
      ...(["erl", "-mnesia", "dir", `"${join(folder, "mnesia")}"`, "-s", "ejabberd"] as const),
      ...["-eval", registration(domain, people)],
    ],
    env: {
      ERL_LIBS: (await libraries()).join(":"),
      EJABBERD_CONFIG_PATH: config,
      EJABBERD_LOG_PATH: join(folder, "ejabberd.log"),
      ERL_INETRC: inetrc,
      ERL_CRASH_DUMP: join(folder, "erl_crash.dump"),
    },
    ready: /people are there/,
  });
  return {
    name: "ejabberd",
    ports: { c2s, s2s, s2sTls },
    output: () => daemon.output,
    asksForAddresses: false,
    stops: (signal) => daemon.stops(signal),
    starts: () => daemon.starts(),
    streams: () => daemon.count(/Accepted (inbound|outbound) s2s \S+ authentication/g),
  };
};
