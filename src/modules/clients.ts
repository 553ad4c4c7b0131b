/** XEP-0494: Client Access Management: people see what has access to their account, and end it. */
import { createHash } from "node:crypto";
import type { Client } from "../domain/clients.ts";
import type { AppPassword } from "../domain/app-passwords.ts";
import { get, set, type IqRequest } from "../server/module.ts";
import type { Session } from "../server/session.ts";
import { formatDateTime } from "../xmpp/datetime.ts";
import { StanzaError, StreamError } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, xml, type Element } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";

/** How often it is looked for what is too old to be kept, in milliseconds. */
const sweepInterval = 3_600_000;

/** Something that has access. */
interface Entry {
  readonly id: string;
  /** As `Session.client`. */
  readonly client?: string | undefined;
  /** Whether it has this session of the account. */
  has(session: Session): boolean;
  /** It was a client here, at least once. */
  readonly wasHere: boolean;
  readonly firstSeen?: Date;
  readonly lastSeen: Date | null;
  readonly methods: readonly ("password" | "grant" | "fast")[];
  readonly software?: string | null;
  readonly device?: string | null;
  /** Ends what can be ended without the sessions; without it, there is nothing such. */
  revoke?(): Promise<unknown>;
}

export default defineModule({
  name: "clients",
  xeps: ["0494"],
  features: { server: [NS.clientAccess] },
  setup: ({ clients, appPasswords, events, sessions, log }) => {
    const sweep = (): void => {
      clients.sweep().catch((error: unknown) => log.error({ err: error }, "old clients were not forgotten"));
    };
    const timers = [setTimeout(sweep, 0), setInterval(sweep, sweepInterval).unref()];

    const clientEntry = (client: Client): Entry => ({
      ...client,
      id: `c.${client.id}`,
      has: (session) => session.client === client.client && !session.appPassword,
      wasHere: true,
      methods: [
        ...(client.knowsPassword ? ["password" as const] : []),
        ...(client.hasToken ? ["fast" as const] : []),
      ],
      revoke: () => clients.revoke(client),
    });

    const appEntry = (app: AppPassword, account: string): Entry => ({
      id: `a.${app.id}`,
      has: ({ appPassword }) => appPassword === app.id,
      wasHere: app.usedAt !== null,
      firstSeen: app.createdAt,
      lastSeen: app.usedAt,
      methods: ["grant"],
      software: app.name,
      revoke: () => appPasswords.remove(account, app.id),
    });

    /** Of a client that did not say which it is there is no more than its session. */
    const sessionEntry = (session: Session): Entry => ({
      id: `s.${createHash("sha256").update(session.jid.full).digest("base64url")}`,
      client: session.client,
      has: (one) => one === session,
      wasHere: true,
      lastSeen: new Date(),
      methods: ["password"],
      software: session.jid.resource,
    });

    async function entriesOf(account: string): Promise<Entry[]> {
      const [known, apps] = await Promise.all([clients.list(account), appPasswords.list(account)]);
      const told = new Set(known.map(({ client }) => client));
      const nameless = [...sessions.of(account)].filter(
        (one) => !one.appPassword && !(one.client && told.has(one.client)),
      );
      return [
        ...known.map(clientEntry).filter((entry) => entry.methods.length > 0 || isHere(entry, account)),
        ...apps.map((app) => appEntry(app, account)),
        ...nameless.map(sessionEntry),
      ];
    }

    const isHere = (entry: Entry, account: string): boolean =>
      [...sessions.of(account)].some((session) => entry.has(session));

    async function list({ from, session }: IqRequest): Promise<Element> {
      mustManage(session);
      const entries = await entriesOf(from.bare);
      const elements = entries.map((entry) => clientElement(entry, isHere(entry, from.bare)));
      return xml("clients", { xmlns: NS.clientAccess }, ...elements);
    }

    async function revoke(iq: IqRequest): Promise<void> {
      const { from, payload, session: own } = iq;
      mustManage(own);
      const entry = (await entriesOf(from.bare)).find(({ id }) => id === attr(payload, "id"));
      if (!entry) throw new StanzaError("item-not-found", { text: "There is no such client" });
      await entry.revoke?.();
      const theirs = [...sessions.of(from.bare)].filter((session) => entry.has(session));
      for (const session of theirs) if (session !== own) close(session);
      const resources = theirs.map(({ jid }) => jid.resource);
      events.emit("client.revoked", { account: from.bare, client: entry.client, resources });
      // §3.2: what it has been told it cannot be made to forget.
      if (entry.methods.includes("password"))
        throw new StanzaError("service-unavailable", {
          app: xml("password-reset-required", { xmlns: NS.clientAccess }),
          text: "It knows the password; only another password keeps it out",
        });
      // The answer comes before the end of who asked.
      if (own && entry.has(own)) iq.afterwards = () => close(own);
    }

    return {
      iq: [get(NS.clientAccess, "list", "self", list), set(NS.clientAccess, "revoke", "self", revoke)],
      close: () => timers.forEach(clearTimeout),
      events: {
        "session.bound": ({ session: { appPassword } }) => {
          if (appPassword !== undefined) return appPasswords.used(appPassword);
        },
        "session.closed": ({ session: { account, client } }) => {
          if (client !== undefined) return clients.left(account, client);
        },
        "account.removed": ({ account }) => clients.clear(account),
        "app-password.removed": ({ account, id }) => {
          for (const session of [...sessions.of(account)]) if (session.appPassword === id) close(session);
        },
      },
    };
  },
});

/** §3.1: who came in by an app password has access to the account, and not to who else has. */
function mustManage(session: Session | undefined): void {
  if (session?.appPassword !== undefined)
    throw new StanzaError("forbidden", { text: "Log in with the password of the account for this" });
}

const close = (session: Session): void =>
  session.close(new StreamError("not-authorized", "Access was taken from this client"));

/** §3.1 */
function clientElement(entry: Entry, connected: boolean): Element {
  const { id, wasHere, firstSeen, lastSeen, methods, software, device } = entry;
  const seen = connected ? new Date() : lastSeen;
  return xml(
    "client",
    { connected: String(connected), id, type: wasHere ? "session" : "access" },
    ...(firstSeen ? [xml("first-seen", {}, formatDateTime(firstSeen))] : []),
    ...(seen ? [xml("last-seen", {}, formatDateTime(seen))] : []),
    xml("auth", {}, ...methods.map((method) => xml(method, {}))),
    xml("permission", { status: methods.includes("grant") ? "normal" : "unrestricted" }),
    xml(
      "user-agent",
      {},
      ...(software ? [xml("software", {}, software)] : []),
      ...(device ? [xml("device", {}, device)] : []),
    ),
  );
}
