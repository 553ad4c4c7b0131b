/**
 * What every client is to show: people find each other, talk, have a second device, miss something, and lose their
 * connection. It is one story on one node; a client plays what it can, and says what it cannot.
 */
import assert from "node:assert";
import { test, type TestContext } from "node:test";
import type { NodeProcess } from "../support/node.ts";
import { befriend, type ActorEvent, type ClientActor } from "./client-actor.ts";
import { Gate } from "./gate.ts";
import { house } from "./house.ts";

export interface Entrance {
  readonly name: "ana" | "ben";
  readonly resource: string;
  /** Where it connects to instead of the node's own port. */
  readonly port?: number;
  /** It sends no presence of its own accord. */
  readonly quiet?: boolean;
  /** It comes back by itself with stream management. */
  readonly resumes?: boolean;
}

export interface Cast {
  /** Why it cannot play here. */
  readonly skip: string | false;
  /** The port of the node that it speaks to. */
  port(node: NodeProcess): number;
  /** A device of somebody, which tells `started` once it is logged in. */
  enters(node: NodeProcess, entrance: Entrance): ClientActor | Promise<ClientActor>;
  /** Its session does not hang on a connection: it goes on when one is lost, and tells of no resumption. */
  readonly isConnectionless?: boolean;
  /** What the client has not, and why. */
  readonly lacks?: { readonly archive?: string; readonly resending?: string };
}

/** More than a page of what clients ask for at once. */
const missed = Array.from({ length: 25 }, (_, index) => `while you were out ${index + 1}`);

const bodies = (events: readonly ActorEvent[]): unknown[] => events.map((e) => e["body"]);

/** As many messages as come from somebody, in order. */
async function hearsFrom(actor: ClientActor, sender: ClientActor, count: number): Promise<ActorEvent[]> {
  const heard: ActorEvent[] = [];
  while (heard.length < count)
    heard.push(await actor.hears("message", (e) => String(e["sender"]).startsWith(`${sender.jid}/`)));
  return heard;
}

async function says(actor: ClientActor, to: string, texts: readonly string[]): Promise<void> {
  for (const body of texts) await actor.does("message", { to, id: body.replaceAll(" ", "-"), body });
}

/** It is logged in: its full JID. */
async function begins(actor: ClientActor): Promise<string> {
  return String((await actor.hears("started"))["jid"]);
}

/** All that was on its way has come, and nothing of it was a message. */
async function hearsNothingMore(actor: ClientActor, domain: string): Promise<void> {
  await actor.does("ping", { to: domain });
  for (const event of ["message", "complaint"]) assert.deepEqual(actor.heard(event), []);
}

export function story(client: string, { skip, isConnectionless, lacks = {}, port, enters }: Cast): void {
  test(`${client}: two people and their devices`, { skip }, async (t) => {
    const node = await house(t);
    const { domain } = node;
    await using ana = await enters(node, { name: "ana", resource: "desk" });
    const desk = await begins(ana);

    /** It says goodbye, and whoever knows it has heard. */
    async function leaves(actor: ClientActor, jid: string): Promise<void> {
      await actor.does("disconnect");
      await ana.hears("presence", (e) => e["sender"] === jid && e["type"] === "unavailable");
    }

    await t.test("become contacts and talk", async () => {
      await using ben = await enters(node, { name: "ben", resource: "desk" });
      const jid = await begins(ben);
      await befriend(ana, ben);
      for (const [one, other] of [
        [ana, ben],
        [ben, ana],
      ] as const) {
        await one.does("ping", { to: domain });
        assert.deepEqual((await one.does("contacts"))["contacts"], { [other.jid]: "both" });
      }
      await says(ana, ben.jid, ["Gruezi & <guten> Tag 🐦"]);
      const [heard] = await hearsFrom(ben, ana, 1);
      assert.equal(heard!["body"], "Gruezi & <guten> Tag 🐦");
      assert.equal(heard!["sender"], desk);
      assert.equal(heard!["delayed"], false);
      await says(ben, desk, ["Ciao"]);
      assert.deepEqual(bodies(await hearsFrom(ana, ben, 1)), ["Ciao"]);
      await leaves(ben, jid);
    });

    await t.test("hear on a second device what the first one says and hears", async () => {
      await using phone = await enters(node, { name: "ana", resource: "phone" });
      await using ben = await enters(node, { name: "ben", resource: "desk" });
      const anaPhone = await begins(phone);
      const benDesk = await begins(ben);
      await phone.does("carbons");
      await says(ben, desk, ["to the desk"]);
      const received = await phone.hears("carbon");
      assert.deepEqual(
        [received["direction"], received["to"], received["body"]],
        ["received", desk, "to the desk"],
      );
      await says(ana, ben.jid, ["from the desk"]);
      const sent = await phone.hears("carbon");
      assert.deepEqual([sent["direction"], sent["sender"], sent["body"]], ["sent", desk, "from the desk"]);
      await hearsFrom(ana, ben, 1);
      assert.deepEqual(bodies(await hearsFrom(ben, ana, 1)), ["from the desk"]);
      await hearsNothingMore(phone, domain);
      await leaves(ben, benDesk);
      await leaves(phone, anaPhone);
    });

    await t.test("find what they missed", async () => {
      await using ben = await enters(node, { name: "ben", resource: "desk" });
      const jid = await begins(ben);
      await says(ana, ben.jid, ["until tomorrow"]);
      const [last] = await hearsFrom(ben, ana, 1);
      await leaves(ben, jid);
      await says(ana, ben.jid, missed);
      await ana.does("ping", { to: domain });

      const quiet = lacks.archive === undefined;
      await using again = await enters(node, { name: "ben", resource: "desk", quiet });
      const jidAgain = await begins(again);
      if (quiet) {
        const { messages } = await again.does("archive", { after: last!["archived"] });
        assert.deepEqual(bodies(messages as ActorEvent[]), missed);
        await again.does("presence");
      } else {
        const heard = await hearsFrom(again, ana, missed.length);
        assert.deepEqual(bodies(heard), missed);
        assert(
          heard.every((e) => e["delayed"]),
          "each says that it is late",
        );
      }
      await hearsNothingMore(again, domain);
      await leaves(again, jidAgain);
    });

    await t.test("lose a connection and nothing else", async (t) => {
      const gate = await Gate.open(t as TestContext, port(node));
      await using ben = await enters(node, {
        name: "ben",
        resource: "train",
        port: gate.port,
        resumes: true,
      });
      const train = await begins(ben);
      await ana.hears("presence", (e) => e["sender"] === train);
      await says(ana, ben.jid, ["see you"]);
      await hearsFrom(ben, ana, 1);

      for (const lost of ["everything", "answers"] as const) {
        gate.loses(lost);
        const said = ["are you in the tunnel", "it seems so", "later then"].map((text) => `${text}: ${lost}`);
        await says(ana, ben.jid, said);
        await ana.does("ping", { to: domain });
        const mutters =
          lost === "answers" || lacks.resending === undefined ? [`hello with ${lost} lost`] : [];
        await says(ben, ana.jid, mutters);
        if (lost === "answers") assert.deepEqual(bodies(await hearsFrom(ana, ben, 1)), mutters);
        gate.breaks();
        if (!isConnectionless) await ben.hears("resumed");
        assert.deepEqual(bodies(await hearsFrom(ben, ana, said.length)), said);
        if (lost === "everything")
          assert.deepEqual(bodies(await hearsFrom(ana, ben, mutters.length)), mutters);
      }
      await says(ben, ana.jid, ["here I am"]);
      assert.deepEqual(bodies(await hearsFrom(ana, ben, 1)), ["here I am"]);
      await hearsNothingMore(ben, domain);
      await hearsNothingMore(ana, domain);
      assert(!ben.hasHeard("started"), "it was no new session");
      const gone = (e: ActorEvent): boolean => e["sender"] === train && e["type"] === "unavailable";
      assert(!ana.hasHeard("presence", gone), "nobody saw it go");
      await leaves(ben, train);
    });
  });
}
