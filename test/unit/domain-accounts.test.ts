/** Accounts: names, passwords, verifiers, and what a stranger can learn of them. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { pino } from "pino";
import { Accounts } from "../../src/domain/accounts.ts";
import type { DomainEvents } from "../../src/domain/events.ts";
import { Events } from "../../src/events.ts";
import { openStore } from "../../src/store/sqlite.ts";
import type { StanzaCondition } from "../../src/xmpp/errors.ts";
import { parseJid } from "../../src/xmpp/jid.ts";
import { deriveCredentials, type ScramHash } from "../../src/xmpp/sasl/scram.ts";

const hashes: readonly ScramHash[] = ["SHA-1", "SHA-256", "SHA-512"];
const log = pino({ level: "silent" });
const jid = (address: string) => parseJid(address)!;
const ana = jid("ana@pipit.test");

interface Office {
  readonly accounts: Accounts;
  readonly events: Events<DomainEvents>;
  readonly told: string[];
  readonly folder: string;
  /** Another program start on the same data. */
  restart(): Promise<Office>;
}

function office(t: TestContext): Office {
  const folder = mkdtempSync(join(tmpdir(), "pipit-accounts-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return openOffice(t, folder);
}

function openOffice(t: TestContext, folder: string): Office {
  const store = openStore(join(folder, "pipit.db"), { log });
  t.after(() => store.close());
  const events = new Events<DomainEvents>(log);
  const told: string[] = [];
  for (const name of ["account.added", "account.removed", "account.password"] as const) {
    events.on(name, ({ account }) => void told.push(`${name} ${account}`));
  }
  const accounts = new Accounts({ domain: "pipit.test", store, events });
  return {
    accounts,
    events,
    told,
    folder,
    async restart() {
      await store.close();
      return openOffice(t, folder);
    },
  };
}

const refusal = (condition: StanzaCondition) => ({ name: "StanzaError", condition });

test("an account has an address, and is told of", async (t) => {
  const { accounts, told } = office(t);
  const account = await accounts.add(ana, "secret", { admin: true });
  assert.equal(account.jid, "ana@pipit.test");
  assert.deepEqual(await accounts.find("ana"), account);
  assert.deepEqual(await accounts.list(), [account]);
  assert.equal(account.admin, true);
  assert.equal(await accounts.exists("ana"), true);
  assert.equal(await accounts.exists("bob"), false);
  assert.deepEqual(told, ["account.added ana@pipit.test"]);
});

test("the verifier of every hash is the one of the password (RFC 5802 §3)", async (t) => {
  const { accounts } = office(t);
  await accounts.add(ana, "pencil");
  const salts = new Set<string>();
  for (const hash of hashes) {
    const { credentials, known } = await accounts.credentials("ana", hash);
    assert.equal(known, true);
    assert(credentials.iterations >= 10_000);
    const { salt, iterations } = credentials;
    assert.deepEqual(credentials, await deriveCredentials("pencil", hash, salt, iterations));
    salts.add(salt.toString("hex"));
  }
  assert.equal(salts.size, hashes.length);
});

test("the password itself is nowhere in the data", async (t) => {
  const { accounts, restart, folder } = office(t);
  await accounts.add(ana, "correct horse battery staple");
  await restart();
  const bytes = readFileSync(join(folder, "pipit.db"));
  assert(bytes.includes("ana"));
  assert.equal(bytes.includes("correct horse"), false);
  assert.equal(bytes.includes(Buffer.from("correct horse battery staple").toString("base64")), false);
});

test("a name is given once", async (t) => {
  const { accounts, told } = office(t);
  const twice = await Promise.allSettled([accounts.add(ana, "one"), accounts.add(ana, "two")]);
  assert.deepEqual(twice.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  await assert.rejects(accounts.add(ana, "three"), refusal("conflict"));
  assert.equal(told.length, 1);
});

for (const name of ["admin", "postmaster", "abuse", "security", "xmpp", "timeline", "root", "TimeLine"]) {
  test(`${name} is nobody's name`, async (t) => {
    const { accounts } = office(t);
    await assert.rejects(accounts.add(jid(`${name}@pipit.test`), "secret"), refusal("not-acceptable"));
    assert.deepEqual(await accounts.list(), []);
  });
}

for (const address of ["ana@other.example", "pipit.test", "ana@pipit.test/phone"]) {
  test(`${address} is no address of an account here`, async (t) => {
    const { accounts } = office(t);
    await assert.rejects(accounts.add(jid(address), "secret"), refusal("not-acceptable"));
  });
}

for (const [what, password] of [
  ["nothing", ""],
  ["more than 1,024 bytes", "ä".repeat(513)],
  ["a control character", "a\u0007b"],
] as const) {
  test(`${what} is no password`, async (t) => {
    const { accounts } = office(t);
    await assert.rejects(accounts.add(ana, password), refusal("not-acceptable"));
    assert.equal(await accounts.exists("ana"), false);
  });
}

test("a new password replaces the old one", async (t) => {
  const { accounts, told } = office(t);
  await accounts.add(ana, "old");
  const before = await accounts.credentials("ana", "SHA-256");
  await accounts.setPassword(ana, "new");
  const { credentials } = await accounts.credentials("ana", "SHA-256");
  assert.notDeepEqual(credentials.salt, before.credentials.salt);
  assert.deepEqual(
    credentials,
    await deriveCredentials("new", "SHA-256", credentials.salt, credentials.iterations),
  );
  assert.equal(told.at(-1), "account.password ana@pipit.test");
  await assert.rejects(accounts.setPassword(jid("bob@pipit.test"), "x"), refusal("item-not-found"));
});

test("a removed account is gone, and its name stays taken", async (t) => {
  const { accounts, told } = office(t);
  await accounts.add(ana, "secret");
  await accounts.remove(ana);
  assert.equal(await accounts.exists("ana"), false);
  assert.deepEqual(await accounts.list(), []);
  assert.equal((await accounts.credentials("ana", "SHA-1")).known, false);
  assert.equal(told.at(-1), "account.removed ana@pipit.test");
  await assert.rejects(accounts.add(ana, "again"), refusal("conflict"));
  await assert.rejects(accounts.remove(ana), refusal("item-not-found"));
  await assert.rejects(accounts.setPassword(ana, "x"), refusal("item-not-found"));
});

test("a removal waits for those who keep something of the account", async (t) => {
  const { accounts, events } = office(t);
  await accounts.add(ana, "secret");
  let cleared = false;
  events.on("account.removed", async () => {
    await new Promise((resolve) => setImmediate(resolve));
    cleared = true;
  });
  await accounts.remove(ana);
  assert.equal(cleared, true);
});

test("a removal that was interrupted is finished at the next start, and only then", async (t) => {
  const first = office(t);
  await first.accounts.add(ana, "secret");
  first.events.on("account.removed", () => Promise.reject(new Error("killed")));
  await first.accounts.remove(ana);
  const second = await first.restart();
  await second.accounts.finishRemovals();
  assert.deepEqual(second.told, ["account.removed ana@pipit.test"]);
  const third = await second.restart();
  await third.accounts.finishRemovals();
  assert.deepEqual(third.told, []);
});

test("an unknown name looks like a known one, and always the same", async (t) => {
  const { accounts, restart } = office(t);
  await accounts.add(ana, "secret");
  const shapeOf = async (on: Accounts, local: string, hash: ScramHash) => {
    const { credentials: c } = await on.credentials(local, hash);
    return [c.iterations, c.salt.length, c.storedKey.length, c.serverKey.length];
  };
  const before = await Promise.all(hashes.map((hash) => accounts.credentials("nobody", hash)));
  for (const hash of hashes) {
    assert.deepEqual(await shapeOf(accounts, "nobody", hash), await shapeOf(accounts, "ana", hash));
  }
  const later = (await restart()).accounts;
  assert.deepEqual(await Promise.all(hashes.map((hash) => later.credentials("nobody", hash))), before);
  const all = [...before, await later.credentials("nobody2", "SHA-1")];
  assert.equal(new Set(all.map(({ credentials }) => credentials.salt.toString("hex"))).size, 4);
  assert(before.every(({ known }) => !known));
});

test("another node makes up other credentials for the same unknown name", async (t) => {
  const [one, other] = await Promise.all(
    [office(t), office(t)].map(({ accounts }) => accounts.credentials("nobody", "SHA-256")),
  );
  assert.notDeepEqual(one!.credentials.salt, other!.credentials.salt);
});
