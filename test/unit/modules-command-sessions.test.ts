/** XEP-0050 §3.3: how long runs of commands stay open, and how many. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandSessions, type CommandSession } from "../../src/modules/command-sessions.ts";
import type { Command } from "../../src/server/command.ts";
import { StanzaError } from "../../src/xmpp/errors.ts";

const command: Command = { node: "config", name: "Configure", mayRun: () => true, run: () => ({}) };
const hour = 3_600_000;

function opened(sessions: CommandSessions, person: string): CommandSession {
  const requester = `${person}/phone`;
  const id = sessions.newId(command, requester);
  const session: CommandSession = { id, command, requester, person, forms: [], touchedAt: 0 };
  sessions.keep(session);
  return session;
}

test("a run that nobody goes on with is over after an hour", () => {
  let now = 0;
  const sessions = new CommandSessions(() => now);
  const [left, used] = [opened(sessions, "ana@a"), opened(sessions, "ana@a")];
  now = hour / 2;
  sessions.keep(used);
  now = hour;
  assert.equal(sessions.find(left.id), undefined);
  assert.equal(sessions.find(used.id), used);
  assert(sessions.isOurs(left.id, "config", left.requester));
});

test("all together have a thousand open, and one more is refused", () => {
  const sessions = new CommandSessions(() => 0);
  const all = Array.from({ length: 1_000 }, (_, person) => opened(sessions, `${person}@a`));
  assert.throws(
    () => opened(sessions, "late@a"),
    (error) => error instanceof StanzaError && error.condition === "resource-constraint",
  );
  sessions.endAllOf(all[0]!.requester);
  opened(sessions, "late@a");
  assert.equal(sessions.find(all[0]!.id), undefined);
});

test("an id is good for its command and its requester alone", () => {
  const sessions = new CommandSessions();
  const { id } = opened(sessions, "ana@a");
  assert.equal(sessions.isOurs(id, "other", "ana@a/phone"), false);
  assert.equal(sessions.isOurs(id, "config", "ana@a/tablet"), false);
  assert.equal(new CommandSessions().isOurs(id, "config", "ana@a/phone"), false);
});
