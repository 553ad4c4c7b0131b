/** The settings: defaults, file, environment, and what is refused (design §6). */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { completeConfig, ConfigError, configTable, loadConfig } from "../../src/config.ts";

const folder = mkdtempSync(join(tmpdir(), "pipit-config-"));
test.after(() => rmSync(folder, { recursive: true }));

function written(toml: string): string {
  const file = join(folder, "pipit.toml");
  writeFileSync(file, toml);
  return file;
}

const problemsOf = (input: object): string[] => {
  try {
    completeConfig(input);
  } catch (error) {
    assert(error instanceof ConfigError);
    return error.message.split("\n");
  }
  return [];
};

test("what is not set has its default", () => {
  const config = completeConfig({}, "/srv/pipit");
  assert.equal(config.domain, "localhost");
  assert.equal(config.data, "/srv/pipit/data");
  assert.deepEqual(config.listen, {
    host: "127.0.0.1",
    c2s: 5222,
    c2s_tls: 5223,
    s2s: 5269,
    s2s_tls: 5270,
    component: 5347,
    component_host: "127.0.0.1",
    http: 8080,
  });
  assert.equal(config.c2s.require_tls, true);
  assert.equal(config.registration.open, false);
  assert.equal(config.s2s.allow, undefined);
  assert.deepEqual(config.s2s.deny, []);
  assert.equal(config.log.level, "info");
});

test("a real domain listens on all addresses, localhost only on loopback", () => {
  assert.equal(completeConfig({ domain: "example.org" }).listen.host, undefined);
  assert.equal(completeConfig({ domain: "localhost" }).listen.host, "127.0.0.1");
  assert.equal(completeConfig({ listen: { host: "::" } }).listen.host, "::");
});

test("the public address follows the domain", () => {
  assert.equal(completeConfig({}).url, "http://localhost:8080");
  assert.equal(completeConfig({ listen: { http: 80 } }).url, "http://localhost");
  assert.equal(completeConfig({ domain: "example.org" }).url, "https://example.org");
  assert.equal(completeConfig({ domain: "bücher.example" }).url, "https://xn--bcher-kva.example");
  assert.equal(completeConfig({ url: "https://example.org:8443/" }).url, "https://example.org:8443");
});

test("domains are prepared", () => {
  const config = completeConfig({ domain: "XN--BCHER-KVA.Example", s2s: { deny: ["Spam.EXAMPLE."] } });
  assert.equal(config.domain, "bücher.example");
  assert.deepEqual(config.s2s.deny, ["spam.example"]);
});

test("DNS servers are addresses, with a port or without", () => {
  const good = ["192.0.2.53", "127.0.0.1:5353", "::1", "[::1]", "[::1]:53"];
  assert.deepEqual(completeConfig({ s2s: { resolver: good } }).s2s.resolver, good);
  for (const bad of [
    "dns.example",
    "1.2.3",
    "1.2.3.4:",
    "1.2.3.4:0",
    "1.2.3.4:65536",
    "[1.2.3.4]:53",
    "[::1]x",
  ]) {
    assert.match(
      problemsOf({ s2s: { resolver: [bad] } }).join(),
      /^s2s\.resolver\.0: must be an IP address/,
      bad,
    );
  }
});

test("paths start at the folder of the file", () => {
  const file = written(
    'data = "d"\nmodules = ["m.js", "/opt/n.js"]\n[tls]\ncert = "c.pem"\nkey = "../k.pem"',
  );
  const { data, tls, modules } = loadConfig(file, {});
  assert.deepEqual([data, tls.cert], [join(folder, "d"), join(folder, "c.pem")]);
  assert.equal(tls.key, join(folder, "..", "k.pem"));
  assert.deepEqual(modules, [join(folder, "m.js"), "/opt/n.js"]);
});

test("the environment wins over the file, key by key", () => {
  const file = written('domain = "example.org"\n[listen]\nc2s = 1\nhttp = 2');
  const config = loadConfig(file, {
    PIPIT_LISTEN__HTTP: "false",
    PIPIT_C2S__REQUIRE_TLS: "false",
    PIPIT_S2S__ALLOW: "a.example, b.example",
    PIPIT_CONTACT__ABUSE: "mailto:abuse@example.org",
    PIPIT_LOG__LEVEL: "debug",
    PATH: "/bin",
  });
  assert.equal(config.listen.c2s, 1);
  assert.equal(config.listen.http, false);
  assert.equal(config.c2s.require_tls, false);
  assert.deepEqual(config.s2s.allow, ["a.example", "b.example"]);
  assert.deepEqual(config.contact.abuse, ["mailto:abuse@example.org"]);
  assert.equal(config.log.level, "debug");
});

test("every key of the table can be set by the environment under the name it tells", () => {
  const values: Record<string, string> = {
    domain: "example.org",
    url: "https://example.org",
    "log.level": "warn",
    "listen.host": "127.0.0.1",
    addresses: "192.0.2.1",
    "c2s.resume_seconds": "60",
    "c2s.location": "chat.example.org:5222",
    "s2s.dialback": "true",
    "s2s.resolver": "192.0.2.53",
    components: '{"irc": {"secret": "x"}}',
    services: '[{"type": "stun", "host": "stun.example.org"}]',
  };
  const valueFor = (key: string): string =>
    values[key] ??
    (/^(archive|clients|upload)\./.test(key) ? "1" : undefined) ??
    (/^(listen|registration|c2s|push)\./.test(key)
      ? "false"
      : key.startsWith("contact.")
        ? "mailto:a@b"
        : "x");
  const env = Object.fromEntries(configTable().map((row) => [row.environment, valueFor(row.key)]));
  assert.equal(env["PIPIT_LISTEN__C2S_TLS"], "false");
  const config = loadConfig(written(""), env) as unknown as Record<string, Record<string, unknown>>;
  for (const { key } of configTable()) {
    const [first, second] = key.split(".") as [string, string?];
    const value = second === undefined ? config[first] : config[first]![second];
    assert.notEqual(value, undefined, key);
  }
});

test("a component is a part of the domain, or a domain of its own", () => {
  const secret = "correct horse";
  const { components } = completeConfig({
    domain: "example.org",
    components: { IRC: { secret }, "Bridge.Example.net": { secret } },
  });
  assert.deepEqual(Object.keys(components), ["irc.example.org", "bridge.example.net"]);
  assert.match(problemsOf({ components: { "a b": { secret } } }).join(), /^components\.a b: /);
  assert.match(problemsOf({ components: { irc: {} } }).join(), /^components\.irc\.secret: /);
  const twice = { irc: { secret }, "irc.localhost": { secret } };
  assert.match(problemsOf({ components: twice }).join(), /irc\.localhost is there twice/);
});

test("a service for calls has a password, or the secret for many", () => {
  const turn = { type: "turn", host: "turn.example.org" };
  const { services } = completeConfig({ services: [{ ...turn, port: 3478, transport: "udp", secret: "x" }] });
  assert.equal(services[0]!.ttl, 86_400);
  for (const [more, problem] of [
    [{ username: "u" }, /^services\.0: username and password go together/],
    [{ username: "u", password: "p", secret: "s" }, /^services\.0: has a secret or a password/],
    [{ transport: "sctp" }, /^services\.0\.transport: must be udp or tcp/],
    [{ port: 0 }, /^services\.0\.port: /],
    [{ realm: "x" }, /^services\.0\.realm: there is no such setting/],
  ] as const) {
    assert.match(problemsOf({ services: [{ ...turn, ...more }] }).join(), problem);
  }
});

test("the table has a default and a meaning for every key", () => {
  for (const row of configTable()) {
    assert.notEqual(row.meaning, "", row.key);
    assert.notEqual(row.default, "", row.key);
  }
  const rows = new Map(configTable().map((row) => [row.key, row.default]));
  assert.equal(rows.get("listen.c2s"), "`5222`");
  assert.equal(rows.get("s2s.deny"), "none");
});

for (const [name, input, problem] of [
  ["an unknown key", { domian: "x" }, "domian: there is no such setting"],
  ["an unknown key of a table", { listen: { c2c: 1 } }, "listen.c2c: there is no such setting"],
  ["a port that is none", { listen: { c2s: 70_000 } }, /^listen\.c2s: must be a port/],
  ["true for a port", { listen: { http: true } }, /^listen\.http: must be a port/],
  ["text for a flag", { c2s: { require_tls: "yes" } }, "c2s.require_tls: must be true or false"],
  ["a number for a table", { listen: 3 }, "listen: must be a table"],
  ["text for a list", { s2s: { deny: "a.example" } }, "s2s.deny: must be a list of texts"],
  ["a domain that is none", { domain: "a b" }, 'domain: "a b" is not a domain name'],
  ["such a domain in a list", { s2s: { deny: ["ok.example", "@"] } }, 's2s.deny.1: "@" is not a domain name'],
  ["a level that is none", { log: { level: "loud" } }, /^log\.level: must be one of fatal, .*trace/],
  ["an empty path", { data: "" }, "data: must not be empty"],
  ["an address with a path", { url: "https://example.org/blog" }, /^url: must be http\(s\)/],
  ["a contact that is no URI", { contact: { abuse: ["abuse"] } }, /^contact\.abuse\.0: must be an address/],
  ["half a pair", { tls: { cert: "c.pem" } }, "tls: cert and key go together; one of them is missing"],
] as const) {
  test(`${name} is refused with its path`, () => {
    const problems = problemsOf(input);
    assert.equal(problems.length, 1);
    if (typeof problem === "string") assert.equal(problems[0], problem);
    else assert.match(problems[0]!, problem);
  });
}

test("all problems are told at once", () => {
  assert.equal(problemsOf({ domain: 3, listen: { http: "x", x: 1 }, y: 2 }).length, 4);
});

test("numbers by environment are numbers, and what is none is refused", () => {
  const file = written("");
  const { upload } = loadConfig(file, { PIPIT_UPLOAD__QUOTA: "5000", PIPIT_UPLOAD__KEEP_DAYS: "7" });
  assert.deepEqual([upload.quota, upload.keep_days], [5_000, 7]);
  assert.equal(loadConfig(file, { PIPIT_UPLOAD__KEEP_DAYS: "false" }).upload.keep_days, false);
  for (const quota of ["0", "1.5", "-1", "much"]) {
    assert.throws(
      () => loadConfig(file, { PIPIT_UPLOAD__QUOTA: quota }),
      /^ConfigError: upload\.quota: must be/,
    );
  }
});

test("a variable that sets nothing is refused, those of Kubernetes are not", () => {
  const file = written("");
  assert.throws(
    () => loadConfig(file, { PIPIT_LISTN__HTTP: "1" }),
    new ConfigError("PIPIT_LISTN__HTTP: there is no such setting"),
  );
  loadConfig(file, { PIPIT_SERVICE_HOST: "10.0.0.1", PIPIT_PORT_5222_TCP: "tcp://10.0.0.1:5222" });
});

test("a table by environment over a file that has no table there is refused, and does not crash", () => {
  assert.throws(() => loadConfig(written("listen = 3"), { PIPIT_LISTEN__HTTP: "1" }), {
    name: "ConfigError",
    message: "listen: must be a table",
  });
});

test("TOML that cannot be read is told with its line", () => {
  assert.throws(() => loadConfig(written('domain = "a"\nlisten = {'), {}), /pipit\.toml:2:\d+: /);
});

test("a file that was named must be there", () => {
  assert.throws(() => loadConfig(join(folder, "other.toml"), {}), /other\.toml: there is no such file/);
});

test("nothing of it can be changed", () => {
  const config = completeConfig({ s2s: { deny: ["a.example"] } });
  assert.throws(() => ((config as { domain: string }).domain = "x"), TypeError);
  assert.throws(() => ((config.listen as { c2s: number }).c2s = 1), TypeError);
  assert.throws(() => (config.s2s.deny as string[]).push("x"), TypeError);
});
