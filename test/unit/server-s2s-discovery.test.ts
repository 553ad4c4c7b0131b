/** RFC 6120 §3.2, XEP-0368 §3, RFC 2782: where the server of a domain is, asked of a real DNS server. */
import assert from "node:assert";
import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { createResolver, inOrder, type Discovery } from "../../src/server/s2s-discovery.ts";
import { serveDns, type Zone } from "../support/dns.ts";

const plain = "_xmpp-server._tcp.montague.example";
const direct = "_xmpps-server._tcp.montague.example";
const domain = "montague.example";

/** Short enough to wait for what never comes, in milliseconds; where all comes, nothing depends on it. */
const limitOfSilence = 1_000;
const limitFor = (zone: Zone) =>
  Object.values(zone).some(({ fails }) => fails === "silence") ? { limit: limitOfSilence } : {};

/** `host:port`, with TLS from the first byte where there is a `+`, in the order to try; or what else was found. */
function shown(discovery: Discovery): string[] | string {
  if (discovery.kind !== "targets") return discovery.kind;
  return discovery.targets.map(({ host, port, directTls }) => `${host}:${port}${directTls ? "+" : ""}`);
}

interface Case {
  readonly zone: Zone;
  readonly domain?: string;
  readonly found: string[] | string;
}

const one = { A: ["192.0.2.1"] };
const two = { A: ["192.0.2.2"] };

const cases: Record<string, Case> = {
  "one record": {
    zone: { [plain]: { SRV: ["0 0 5270 one.example"] }, "one.example": one },
    found: ["192.0.2.1:5270"],
  },
  "both services are one list, by priority": {
    zone: {
      [plain]: { SRV: ["10 0 5269 one.example", "30 0 5269 two.example"] },
      [direct]: { SRV: ["20 0 5270 one.example", "5 0 443 two.example"] },
      "one.example": one,
      "two.example": two,
    },
    found: ["192.0.2.2:443+", "192.0.2.1:5269", "192.0.2.1:5270+", "192.0.2.2:5269"],
  },
  "both families, taking turns": {
    zone: {
      [plain]: { SRV: ["0 0 5269 one.example"] },
      "one.example": { A: ["192.0.2.1", "192.0.2.2"], AAAA: ["2001:db8::1"] },
    },
    found: ["2001:db8::1:5269", "192.0.2.1:5269", "192.0.2.2:5269"],
  },
  "IPv6 alone": {
    zone: { [plain]: { SRV: ["0 0 5269 one.example"] }, "one.example": { AAAA: ["2001:db8::1"] } },
    found: ["2001:db8::1:5269"],
  },
  "no record: the domain itself": {
    zone: { [domain]: { A: ["192.0.2.9"], AAAA: ["2001:db8::9"] } },
    found: ["2001:db8::9:5269", "192.0.2.9:5269"],
  },
  "a name without that record: the domain itself": {
    zone: { [domain]: { A: ["192.0.2.9"] }, [plain]: {}, [direct]: { A: ["192.0.2.3"] } },
    found: ["192.0.2.9:5269"],
  },
  "a record: not the domain itself": {
    zone: { [domain]: { A: ["192.0.2.9"] }, [plain]: { SRV: ["0 0 5269 none.example"] } },
    found: "not-found",
  },
  "no such domain": { zone: {}, found: "not-found" },
  "a domain without addresses": { zone: { [domain]: {} }, found: "not-found" },
  "no service": {
    zone: { [domain]: one, [plain]: { SRV: ["0 0 0 ."] }, [direct]: { SRV: ["0 0 0 ."] } },
    found: "not-offered",
  },
  // XEP-0368 §3: no fallback once one of them says anything.
  "no service with STARTTLS, and nothing of the other": {
    zone: { [domain]: one, [plain]: { SRV: ["0 0 0 ."] } },
    found: "not-offered",
  },
  "no service with direct TLS, and nothing of the other": {
    zone: { [domain]: one, [direct]: { SRV: ["0 0 0 ."] } },
    found: "not-offered",
  },
  "a port that is none": {
    zone: { [domain]: one, [plain]: { SRV: ["0 0 0 one.example"] }, "one.example": one },
    found: "not-offered",
  },
  "direct TLS alone": {
    zone: { [plain]: { SRV: ["0 0 0 ."] }, [direct]: { SRV: ["0 0 5270 one.example"] }, "one.example": one },
    found: ["192.0.2.1:5270+"],
  },
  "STARTTLS alone": {
    zone: { [direct]: { SRV: ["0 0 0 ."] }, [plain]: { SRV: ["0 0 5269 one.example"] }, "one.example": one },
    found: ["192.0.2.1:5269"],
  },
  "a DNS server that fails is no absence": {
    zone: { [domain]: one, [plain]: { fails: "SERVFAIL" } },
    found: "failed",
  },
  "a DNS server that refuses is no absence": {
    zone: { [domain]: one, [plain]: { fails: "REFUSED" }, [direct]: { fails: "REFUSED" } },
    found: "failed",
  },
  "a DNS server that is silent is no absence": {
    zone: { [domain]: one, [direct]: { fails: "silence" } },
    found: "failed",
  },
  "silence about one service does not hide the other": {
    zone: { [direct]: { fails: "silence" }, [plain]: { SRV: ["0 0 5269 one.example"] }, "one.example": one },
    found: ["192.0.2.1:5269"],
  },
  "a failure about one service is not the other's refusal": {
    zone: { [direct]: { fails: "SERVFAIL" }, [plain]: { SRV: ["0 0 0 ."] } },
    found: "failed",
  },
  "an address that DNS fails to tell": {
    zone: { [plain]: { SRV: ["0 0 5269 one.example"] }, "one.example": { fails: "SERVFAIL" } },
    found: "failed",
  },
  "a family that DNS fails to tell does not hide the other": {
    zone: {
      [plain]: { SRV: ["0 0 5269 one.example"] },
      "one.example": { A: ["192.0.2.1"], fails: "SERVFAIL", failsFor: "AAAA" },
    },
    found: ["192.0.2.1:5269"],
  },
  "a server without address does not hide the next": {
    zone: {
      [plain]: { SRV: ["0 0 5269 none.example", "1 0 5269 dead.example", "2 0 5269 one.example"] },
      "dead.example": { fails: "silence" },
      "one.example": one,
    },
    found: ["192.0.2.1:5269"],
  },
  "an internationalised domain": {
    domain: "bücher.example",
    zone: {
      "_xmpp-server._tcp.xn--bcher-kva.example": { SRV: ["0 0 5269 one.example"] },
      "one.example": one,
    },
    found: ["192.0.2.1:5269"],
  },
  "an IPv4 address": { domain: "192.0.2.7", zone: {}, found: ["192.0.2.7:5269"] },
  "an IPv6 address": { domain: "[2001:db8::7]", zone: {}, found: ["2001:db8::7:5269"] },
  "a name that is as long as a name may be": {
    domain: `${"a".repeat(61)}.${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(63)}`,
    zone: {},
    found: "not-found",
  },
};

describe("discovery:", { concurrency: true }, () => {
  for (const [what, { zone, domain: asked = domain, found }] of Object.entries(cases)) {
    test(what, async () => {
      await using dns = await serveDns(zone);
      const resolver = createResolver({ servers: [dns.address], ...limitFor(zone) });
      assert.deepEqual(shown(await resolver.discover(asked)), found);
    });
  }

  test("what failed is said in one line", async () => {
    await using dns = await serveDns({ [plain]: { fails: "SERVFAIL" }, [direct]: { fails: "SERVFAIL" } });
    const found = await createResolver({ servers: [dns.address] }).discover(domain);
    assert.deepEqual(found, { kind: "failed", reason: `${direct}: the DNS server failed` });
  });

  test("a silent DNS server is not waited for longer than the limit", async () => {
    await using dns = await serveDns({ [plain]: { fails: "silence" }, [direct]: { fails: "silence" } });
    const found = await createResolver({ servers: [dns.address], limit: 100 }).discover(domain);
    assert.deepEqual(found, { kind: "failed", reason: `${direct}: the DNS server did not answer` });
  });

  test("no DNS server at all", async () => {
    const dns = await serveDns({});
    await dns[Symbol.asyncDispose]();
    const found = await createResolver({ servers: [dns.address] }).discover(domain);
    assert.equal(found.kind, "failed");
  });

  test("who names very many servers has some of them tried", async () => {
    const names = Array.from({ length: 12 }, (_, n) => `s${n}.example`);
    const servers = names.map((name) => [name, { A: ["192.0.2.1", "192.0.2.2", "192.0.2.3"] }]);
    const zone = {
      [plain]: { SRV: names.map((name) => `0 0 5269 ${name}` as const) },
      ...Object.fromEntries(servers),
    };
    await using dns = await serveDns(zone as Zone);
    const found = await createResolver({ servers: [dns.address] }).discover(domain);
    assert.equal(shown(found).length, 16);
    assert.equal(dns.asked.filter((question) => question.startsWith("A s")).length, 8);
  });
});

describe("what is remembered:", () => {
  const questions = (asked: readonly string[]) =>
    asked.filter((question) => question === `SRV ${plain}`).length;

  test("who asks at the same time gets the same answer", async () => {
    await using dns = await serveDns({ [domain]: one });
    const resolver = createResolver({ servers: [dns.address] });
    const found = await Promise.all(Array.from({ length: 5 }, () => resolver.discover(domain)));
    assert.deepEqual(found.map(shown), Array(5).fill(["192.0.2.1:5269"]));
    assert.equal(questions(dns.asked), 1);
  });

  const ages: [string, Zone, number][] = [
    ["an answer, for a minute", { [domain]: one }, 60],
    ["that there is no service, for a minute", { [plain]: { SRV: ["0 0 0 ."] } }, 60],
    ["that there is nothing, for half of one", {}, 30],
    ["that DNS failed, for some seconds", { [plain]: { fails: "SERVFAIL" } }, 5],
  ];
  for (const [what, zone, seconds] of ages) {
    test(what, async () => {
      let time = 1_000_000;
      await using dns = await serveDns({ ...zone });
      const resolver = createResolver({ servers: [dns.address], now: () => time });
      const before = shown(await resolver.discover(domain));
      const asked = questions(dns.asked);
      Object.assign(dns.zone, { [plain]: { SRV: ["0 0 5269 two.example"] }, "two.example": two });
      time += seconds * 1_000 - 1;
      assert.deepEqual(shown(await resolver.discover(domain)), before);
      assert.equal(questions(dns.asked), asked);
      time += 1;
      assert.deepEqual(shown(await resolver.discover(domain)), ["192.0.2.2:5269"]);
    });
  }
});

test("the hosts file comes before the DNS for addresses, and stands in for it where it fails", async () => {
  const folder = await mkdtemp(join(tmpdir(), "pipit-hosts-"));
  try {
    const hostsFile = join(folder, "hosts");
    writeFileSync(
      hostsFile,
      [
        "# 192.0.2.20 one.example",
        "192.0.2.21\tother.example  ONE.example # of the house",
        "2001:db8::21 one.example",
        "nonsense one.example",
        "192.0.2.22 montague.example",
      ].join("\r\n"),
    );
    await using dns = await serveDns({ [plain]: { SRV: ["0 0 5270 one.example"] }, "one.example": one });
    const discover = () => createResolver({ servers: [dns.address], hostsFile }).discover(domain);
    assert.deepEqual(shown(await discover()), ["2001:db8::21:5270", "192.0.2.21:5270"]);
    dns.zone[plain] = { fails: "SERVFAIL" };
    assert.deepEqual(shown(await discover()), ["192.0.2.22:5269"]);
    delete dns.zone[plain];
    assert.deepEqual(shown(await discover()), ["192.0.2.22:5269"]);
    dns.zone[plain] = { SRV: ["0 0 0 ."] };
    assert.deepEqual(shown(await discover()), "not-offered");
  } finally {
    await rm(folder, { recursive: true });
  }
});

describe("the order within a priority (RFC 2782):", () => {
  const offer = (name: string, priority: number, weight: number) => ({
    name,
    priority,
    weight,
    port: 5269,
    directTls: false,
  });
  const servers = [offer("c", 1, 3), offer("b", 1, 1), offer("a", 1, 0), offer("z", 0, 0)];
  /** Of the numbers from 0 to the sum of the weights, the one that is drawn first; after it always the least. */
  const drawn: [number, string][] = [
    [0, "zabc"],
    [1, "zbac"],
    [2, "zcab"],
    [3, "zcab"],
    [4, "zcab"],
  ];
  for (const [number, expected] of drawn) {
    test(`${number} of 4 is drawn`, () => {
      const draws = [0, number / 5 + 0.01];
      const ordered = inOrder(servers, () => draws.shift() ?? 0);
      assert.equal(ordered.map(({ name }) => name).join(""), expected);
    });
  }

  test("the heavier comes first more often, in proportion", () => {
    // Every number once: 0 for the one without weight, then 1 and 3.
    const first = Array.from({ length: 500 }, (_, n) => {
      const draws = [0, n / 500];
      return inOrder(servers, () => draws.shift() ?? 0)[1]?.name;
    });
    const count = (name: string) => first.filter((other) => other === name).length;
    assert.deepEqual([count("a"), count("b"), count("c")], [100, 100, 300]);
  });
});
