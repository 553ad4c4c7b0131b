/** The pubsub engine alone, on a real store in a directory of its own, with a clock and rosters that the test sets. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { pino } from "pino";
import { Events } from "../../src/events.ts";
import type { PubSubEvents } from "../../src/pubsub/events.ts";
import { answerOwner } from "../../src/pubsub/owner-requests.ts";
import { PubSub, type Contact, type Contacts } from "../../src/pubsub/pubsub.ts";
import { answer } from "../../src/pubsub/requests.ts";
import { openStore, type SqliteStore } from "../../src/store/sqlite.ts";
import { parseForm, type DataForm } from "../../src/xmpp/dataform.ts";
import { StanzaError } from "../../src/xmpp/errors.ts";
import { parseJid, type Jid } from "../../src/xmpp/jid.ts";
import { NS } from "../../src/xmpp/ns.ts";
import { attr, children, namespaceOf, type Element } from "../../src/xmpp/xml.ts";
import { readElement } from "./reader.ts";

/** Rosters by owner, then by contact. */
export type Rosters = Record<string, Record<string, Contact>>;

export interface Told {
  readonly name: keyof PubSubEvents;
  readonly event: PubSubEvents[keyof PubSubEvents];
}

export const jid = (text: string): Jid => parseJid(text)!;
export const element = readElement;

/** A submitted form with these fields. */
export function form(formType: string, fields: Record<string, string | string[]>): DataForm {
  const xml = Object.entries(fields).map(
    ([name, values]) =>
      `<field var='pubsub#${name}'>${[values]
        .flat()
        .map((value) => `<value>${value}</value>`)
        .join("")}</field>`,
  );
  return parseForm(
    readElement(
      `<x xmlns='${NS.dataForm}' type='submit'><field var='FORM_TYPE' type='hidden'><value>${formType}</value></field>${xml.join("")}</x>`,
    ),
  );
}

export const publishOptions = (fields: Record<string, string | string[]>): DataForm =>
  form(NS.pubsubPublishOptions, fields);
export const nodeConfig = (fields: Record<string, string | string[]>): DataForm =>
  form(NS.pubsubNodeConfig, fields);

export class Engine {
  readonly store: SqliteStore;
  readonly pubsub: PubSub;
  readonly rosters: Rosters;
  /** What the engine has told, oldest first. */
  readonly told: Told[] = [];
  now = new Date("2026-08-10T09:00:00Z");

  constructor(store: SqliteStore, rosters: Rosters) {
    this.store = store;
    this.rosters = rosters;
    const events = new Events<PubSubEvents>(pino({ level: "silent" }));
    const names = [
      "pubsub.published",
      "pubsub.retracted",
      "pubsub.purged",
      "pubsub.deleted",
      "pubsub.configured",
      "pubsub.subscription",
    ] as const;
    for (const name of names) events.on(name, (event) => void this.told.push({ name, event }));
    const contacts: Contacts = {
      isSubscriber: async (owner, contact) => {
        const subscription = this.rosters[owner]?.[contact]?.subscription;
        return owner === contact || subscription === "from" || subscription === "both";
      },
      groupsOf: async (owner, contact) => this.rosters[owner]?.[contact]?.groups ?? [],
      blocked: async () => undefined,
    };
    this.pubsub = new PubSub({ store, events, contacts, now: () => new Date(this.now) });
  }

  /** What it told under that name, and forgets all it told. */
  take<Name extends keyof PubSubEvents>(name: Name): PubSubEvents[Name][] {
    const taken = this.told.filter((one) => one.name === name);
    this.told.length = 0;
    return taken.map(({ event }) => event as PubSubEvents[Name]);
  }

  passes(seconds: number): void {
    this.now = new Date(this.now.getTime() + seconds * 1000);
  }

  /** Publishes as the account's owner; the ids of what is stored. */
  async publish(service: string, node: string, ids: readonly string[], options?: DataForm): Promise<void> {
    for (const id of ids) {
      const items = [{ id, payload: element(`<note xmlns='urn:example:note'>${id}</note>`) }];
      await this.pubsub.publish({ service, node, publisher: jid(service), items, options });
    }
  }

  /** The ids of a node's items, newest first. */
  async ids(service: string, node: string): Promise<string[]> {
    const { entries } = await this.pubsub.items.page(await this.pubsub.nodes.get(service, node), {});
    return entries.map(({ id }) => id);
  }

  /** Sends an iq's `<pubsub/>` as its XML stands there; the answer. */
  async asks(type: "get" | "set", service: string, from: string, xml: string): Promise<Element | undefined> {
    const payload = element(xml);
    const ask = namespaceOf(payload) === NS.pubsubOwner ? answerOwner : answer;
    return ask(this.pubsub, { type, service, from: jid(from), payload });
  }
}

export function engine(t: TestContext, rosters: Rosters = {}): Engine {
  const folder = mkdtempSync(join(tmpdir(), "pipit-pubsub-"));
  const store = openStore(join(folder, "pipit.db"), { log: pino({ level: "silent" }) });
  t.after(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  return new Engine(store, rosters);
}

/** How a refusal reads on the wire: `condition`, or `condition type app feature`. */
export async function refusalOf(work: Promise<unknown> | (() => Promise<unknown>)): Promise<string> {
  try {
    await (typeof work === "function" ? work() : work);
  } catch (error) {
    if (!(error instanceof StanzaError)) throw error;
    const app = error.app;
    const feature = app && attr(app, "feature");
    return [error.type, error.condition, app?.name, feature].filter(Boolean).join(" ");
  }
  return "done";
}

/** The attribute of each child, to compare lists of entries. */
export const each = (parent: Element | undefined, name: string): (string | undefined)[] =>
  children(parent!).map((child) => attr(child, name));
