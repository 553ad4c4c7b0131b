/** Which of their clients people log in with (XEP-0388 §2.3), and what each may log in with again. */
import { createHash, createHmac, randomBytes } from "node:crypto";
import { accountStore } from "../store/accounts.ts";
import { appPasswordStore } from "../store/app-passwords.ts";
import type { Store } from "../store/store.ts";
import { tokenStore, type ClientRow } from "../store/tokens.ts";
import { SaslError } from "../xmpp/errors.ts";
import type { Jid } from "../xmpp/jid.ts";
import type { Credential } from "../xmpp/sasl/exchange.ts";
import type { Redeem } from "../xmpp/sasl/ht-exchange.ts";
import type { Accounts } from "./accounts.ts";
import { dayMs, issueToken, useToken, type Issued, type Use, type Used } from "./tokens.ts";

/** Nobody has more; who has, has a client that makes itself up anew each time. Those used longest ago go. */
const maxClients = 100;
/** How long it is known of a token that its time is over, so that its client is told so, in milliseconds. */
const expiredFor = 30 * dayMs;
/** RFC 6120 §7.6.1: a resource is not to be guessed by strangers. */
const resourceBytes = 9;
const idBytes = 9;

export interface ClientsOptions {
  readonly domain: string;
  readonly store: Store;
  readonly settings: { readonly token_days: number; readonly keep_days: number };
  readonly accounts: Pick<Accounts, "doubt" | "isProven">;
}

/** What a client tells of itself. */
interface UserAgent {
  readonly id: string;
  readonly software?: string | undefined;
  readonly device?: string | undefined;
}

/** Who has proven to be whom. */
interface Proof {
  readonly account: Jid;
  readonly credential: Credential;
  readonly since: number;
}

/** A client, as its account sees it. */
export interface Client extends ClientRow {
  /** It has a token that is good. */
  readonly hasToken: boolean;
}

export class Clients {
  readonly #options: ClientsOptions;
  #resourceKey: Promise<string> | undefined;

  constructor(options: ClientsOptions) {
    this.#options = options;
  }

  /** The client that an agent says it is, of whatever account it is going to prove to be. */
  of(agent: UserAgent) {
    // What the client knows of itself is not kept: it is a part of what a token is good for.
    const client = createHash("sha256").update(agent.id).digest("base64url");
    let used: Used | undefined;
    return {
      client,

      redeemer:
        (use: Use): Redeem =>
        async (local, fits) => {
          const account = this.#addressOf(local);
          const { store } = this.#options;
          // Who guesses costs a look, and no write.
          const all = await tokenStore(store).tokens(account, client);
          if (!all.some(({ token }) => fits(token))) return undefined;
          used = await store.transaction((tx) => useToken(tx, { account, client }, use, fits));
          if (used?.isExpired) throw new SaslError("credentials-expired");
          return used?.token;
        },

      arrived: (proof: Proof, mechanism: string | undefined): Promise<Issued | undefined> =>
        this.#arrive(client, agent, proof, mechanism ?? (used?.isOld ? used.mechanism : undefined)),

      resource: async ({ account }: Proof): Promise<string> => {
        const digest = createHmac("sha256", await this.#keyOfResources()).update(`${account.bare} ${client}`);
        return digest.digest().subarray(0, resourceBytes).toString("base64url");
      },
    };
  }

  async #arrive(
    client: string,
    { software, device }: UserAgent,
    { account, credential, since }: Proof,
    mechanism: string | undefined,
  ): Promise<Issued | undefined> {
    const { store, settings, accounts } = this.#options;
    // App passwords are their own entries in the list, and end with themselves: nothing outlives them.
    if (typeof credential === "object") return undefined;
    return store.transaction(async (tx) => {
      // The password may have been changed since: no token is had for the old one.
      if (!accounts.isProven(account.local, since)) throw new SaslError("not-authorized");
      const rows = tokenStore(tx);
      const now = new Date();
      const before = await rows.client(account.bare, client);
      const isNamed = settings.keep_days > 0;
      await rows.putClient({
        ...{ account: account.bare, client },
        id: before?.id ?? randomBytes(idBytes).toString("base64url"),
        software: (isNamed && software) || null,
        device: (isNamed && device) || null,
        firstSeen: before?.firstSeen ?? now,
        lastSeen: now,
        knowsPassword: credential === "password" || (before?.knowsPassword ?? false),
      });
      if (!before) await rows.keepNewest(account.bare, maxClients);
      if (mechanism === undefined) return undefined;
      return issueToken(tx, { account: account.bare, client }, mechanism, settings.token_days);
    });
  }

  /** Those of an account, the longest known first. */
  async list(account: string): Promise<Client[]> {
    const rows = tokenStore(this.#options.store);
    const [clients, holders] = await Promise.all([rows.clients(account), rows.holders(account, new Date())]);
    return clients.map((row) => ({ ...row, hasToken: holders.includes(row.client) }));
  }

  /** It is gone, for now. */
  left(account: string, client: string): Promise<void> {
    return tokenStore(this.#options.store).seen(account, client, new Date());
  }

  /** Its tokens are worth nothing. What knows the password is remembered, for it can come back. */
  revoke({ account, client, knowsPassword }: ClientRow): Promise<void> {
    const { store, accounts } = this.#options;
    return store.transaction(async (tx) => {
      const rows = tokenStore(tx);
      await (knowsPassword ? rows.removeAll(account, client) : rows.removeClient(account, client));
      // Inside: what arrives in the same commit must find it.
      accounts.doubt(account.slice(0, account.indexOf("@")));
    });
  }

  clear(account: string): Promise<void> {
    return this.#options.store.transaction(async (tx) => {
      await tokenStore(tx).clear(account);
      await appPasswordStore(tx).clear(account);
    });
  }

  /** Forgets what is too old. */
  sweep(): Promise<void> {
    const { store, settings } = this.#options;
    const now = Date.now();
    const kept = settings.keep_days * dayMs;
    return tokenStore(store).sweep(new Date(now - expiredFor), new Date(now - kept));
  }

  #addressOf(local: string): string {
    return `${local}@${this.#options.domain}`;
  }

  #keyOfResources(): Promise<string> {
    const rows = accountStore(this.#options.store);
    return (this.#resourceKey ??= rows.secret("resources", randomBytes(32).toString("base64")));
  }
}
