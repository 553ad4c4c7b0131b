/** Every setting: its key, its values, its default and what it means. `config.ts` reads them. */
import { isIP, isIPv4, isIPv6 } from "node:net";
import { z } from "zod";
import { prepareDomain } from "./xmpp/jid.ts";

const text = z.string({ error: "must be text" }).min(1, "must not be empty");
const flag = z.boolean({ error: "must be true or false" });
const portError = "must be a port from 1 to 65535 (0: any free one), or false to turn it off";
const port = z.union([z.int().min(0, portError).max(65_535, portError), z.literal(false)], {
  error: portError,
});
const count = z.int({ error: "must be a whole number" }).min(1, "must be 1 or more");
const secondsError = "must be a number of seconds, 86400 (a day) at most";
const seconds = z.int({ error: secondsError }).min(0, secondsError).max(86_400, secondsError);
const listError = "must be a list of texts";
const list = <T extends z.ZodType>(item: T) => z.array(item, { error: listError });

const domain = text.transform((value, context) => {
  const prepared = prepareDomain(value);
  if (prepared) return prepared;
  context.addIssue({ code: "custom", message: `"${value}" is not a domain name` });
  return z.NEVER;
});

const uri = text.refine((value) => URL.canParse(value), {
  error: "must be an address such as mailto:ana@example.org, xmpp:ana@example.org or https://…",
});

const address = text.regex(/^(?:\[[\da-f:]+\]|[^\s:[\]]+):\d{1,5}$/i, {
  error: "must be host:port, an IPv6 address in brackets: chat.example.org:5222, [2001:db8::1]:5222",
});

const dnsServer = text.refine(isDnsServer, {
  error: "must be an IP address, with a port or without: 192.0.2.53, 127.0.0.1:5353, [::1]:5353",
});
const ipAddress = text.refine((value) => isIP(value) !== 0, { error: "must be an IP address" });

const baseUrl = text.transform((value, context) => {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`) return url.origin;
  context.addIssue({ code: "custom", message: "must be http(s)://host[:port], without a path" });
  return z.NEVER;
});

const secret = z.strictObject({ secret: text }, { error: "must be a table with a secret" });
export const service = z
  .strictObject({
    type: text,
    host: text,
    port: z.int({ error: "must be a port" }).min(1).max(65_535).optional(),
    transport: z.enum(["udp", "tcp"], { error: "must be udp or tcp" }).optional(),
    name: text.optional(),
    username: text.optional(),
    password: text.optional(),
    /** Shared with the service, which takes what is made with it. */
    secret: text.optional(),
    /** Seconds. */
    ttl: z.int({ error: "must be a number of seconds" }).min(60).default(86_400),
  })
  .refine((it) => (it.username === undefined) === (it.password === undefined), {
    error: "username and password go together",
  })
  .refine((it) => it.secret === undefined || it.password === undefined, {
    error: "has a secret or a password, not both",
  });
const tableOf = <T extends z.ZodType>(item: T) => z.record(z.string(), item, { error: "must be a table" });

const levels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;

const contact = (who: string) => list(uri).optional().describe(`Addresses (URIs) ${who}`);

/** A group of keys. Nothing in it has to be written. */
const group = <Shape extends z.core.$ZodLooseShape>(shape: Shape) =>
  z.strictObject(shape, { error: "must be a table" }).prefault({} as never);

/** Every key, with its default and what it means; the README's table is made from this. */
export const settings = z.strictObject({
  domain: domain.default("localhost").describe("The domain: the part behind the @ in everybody's address"),
  data: text.default("./data").describe("The data directory; a relative path starts at the file's folder"),
  url: baseUrl
    .optional()
    .meta({ shown: "`https://<domain>`; `http://localhost:<port>` while the domain is `localhost`" })
    .describe("Public address of the web pages"),
  addresses: list(ipAddress)
    .default([])
    .describe(
      "Public IP addresses of this node; where given, clients may find it by the web alone (XEP-0487)",
    ),
  listen: group({
    host: text
      .optional()
      .meta({ shown: "loopback while the domain is `localhost`, else all addresses" })
      .describe("The network address to listen on"),
    c2s: port.default(5222).describe("Clients, with STARTTLS"),
    c2s_tls: port.default(5223).describe("Clients, TLS from the first byte"),
    s2s: port.default(5269).describe("Other servers, with STARTTLS; with both turned off there are none"),
    s2s_tls: port.default(5270).describe("Other servers, TLS from the first byte"),
    component: port.default(5347).describe("Components, where there are some"),
    component_host: text
      .default("127.0.0.1")
      .describe("The network address for components: what they say is not encrypted"),
    http: port.default(8080).describe("The web, without TLS: a reverse proxy adds it"),
  }),
  tls: group({
    cert: text
      .optional()
      .meta({ shown: "a self-signed pair is made in `data`" })
      .describe("Certificate chain (PEM file)"),
    key: text.optional().meta({ shown: "goes with `tls.cert`" }).describe("Its private key (PEM file)"),
    ca: text.optional().describe("Extra trusted roots (PEM file)"),
  }),
  c2s: group({
    require_tls: flag.default(true).describe("Refuse clients that do not encrypt"),
    resume_seconds: seconds
      .default(600)
      .describe("How long a client that lost its connection may take to go on where it was; 0: it may not"),
    location: address
      .optional()
      .describe(
        "Where such clients had better come back to, as `host:port`; their usual way, where there is none",
      ),
  }),
  s2s: group({
    allow: list(domain)
      .optional()
      .meta({ shown: "any" })
      .describe("The only domains to speak with, in either direction, and all under them"),
    deny: list(domain)
      .default([])
      .describe("Domains never to speak with, in either direction, nor with any under them"),
    dialback: flag
      .default(false)
      .describe("Take dialback over TLS for proof where a server has no valid certificate"),
    resolver: list(dnsServer)
      .default([])
      .meta({ shown: "the system's" })
      .describe("DNS servers to ask for other servers (`address` or `address:port`)"),
  }),
  components: tableOf(secret)
    .default({})
    .meta({ shown: "none" })
    .describe(
      'Programs that are parts of the server (XEP-0114): `[components.irc]` with `secret = "…"` is `irc.<domain>`; a name with a dot is a whole domain. As JSON in the environment',
    ),
  registration: group({
    open: flag.default(false).describe("Let anybody make an account"),
    invitations: z
      .union([z.enum(["everybody", "admins"]), z.literal(false)], {
        error: 'must be "everybody", "admins" or false',
      })
      .default("admins")
      .describe("Who may invite others to make an account; `false`: nobody. Contacts may be invited by all"),
  }),
  clients: group({
    token_days: count
      .default(30)
      .describe(
        "Days after which a client that was not here has to log in with the password again (XEP-0484)",
      ),
    keep_days: z
      .int({ error: "must be a whole number" })
      .min(0, "must be 0 or more")
      .default(60)
      .describe("Days for which people's list of clients has one that was not here; 0: names are not kept"),
  }),
  contact: group({
    abuse: contact("to report abuse to"),
    admin: contact("of who runs this node"),
    support: contact("to ask for help"),
    security: contact("to report a vulnerability to"),
    feedback: contact("for opinions"),
    sales: contact("for business"),
  }),
  archive: group({
    keep_days: z
      .int({ error: "must be a whole number" })
      .min(0, "must be 0 or more")
      .default(0)
      .describe(
        "Days after which messages go from everybody's archive, where nobody waits for them; 0: never, they are their people's",
      ),
  }),
  push: group({
    include_sender: flag.default(false).describe("Tell push services, which are third parties, who writes"),
    include_body: flag.default(false).describe("Tell them what is written, where it is not encrypted"),
  }),
  upload: group({
    max_file_size: count
      .default(100 * 1024 ** 2)
      .describe("Bytes of a file that is uploaded at most; a minute of a phone's video"),
    quota: count.default(1024 ** 3).describe("Bytes of an account's files in messages at most"),
    keep_days: z
      .union([count, z.literal(false)], { error: "must be a number of days, or false to keep them for ever" })
      .default(30)
      .describe("Days after which files in messages go: time for every device to fetch them; `false`: never"),
    permanent_quota: count
      .default(5 * 1024 ** 3)
      .describe("Bytes of the files in an account's posts at most; they stay until their post goes"),
  }),
  services: z
    .array(service, { error: "must be a list of tables" })
    .default([])
    .describe(
      "STUN and TURN servers for calls (XEP-0215): `[[services]]` with `type` and `host`, and `port`, `transport`, `name`; `username` and `password`, or the `secret` that makes passwords good for `ttl` seconds (86400). As JSON in the environment",
    ),
  modules: list(text).default([]).describe("Files of further modules to load"),
  log: group({
    level: z
      .enum(levels, { error: `must be one of ${levels.join(", ")}` })
      .default("info")
      .describe("The least important lines that are logged"),
  }),
});

/** Checked here, because Node takes ports that are none, or dies of them. */
function isDnsServer(value: string): boolean {
  if (isIP(value)) return true;
  const [, six = "", four = "", port = "53"] = /^(?:\[(.+)\]|([\d.]+))(?::(\d+))?$/.exec(value) ?? [];
  return (isIPv6(six) || isIPv4(four)) && Number(port) > 0 && Number(port) <= 65_535;
}
