/** The people of the node. A password is kept as SCRAM verifiers (RFC 5802 §3) and nowhere else. */
import { createHmac, randomBytes } from "node:crypto";
import type { Events } from "../events.ts";
import { accountStore, type AccountRow, type CredentialsRow } from "../store/accounts.ts";
import { appPasswordStore } from "../store/app-passwords.ts";
import { invitationStore } from "../store/invitations.ts";
import type { Store } from "../store/store.ts";
import { tokenStore } from "../store/tokens.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { prepareLocal, type Jid } from "../xmpp/jid.ts";
import type { Verifier } from "../xmpp/sasl/exchange.ts";
import { deriveCredentials, type ScramCredentials, type ScramHash } from "../xmpp/sasl/scram.ts";
import type { DomainEvents } from "./events.ts";

const hashes = { "SHA-1": 20, "SHA-256": 32, "SHA-512": 64 } as const satisfies Record<ScramHash, number>;

/**
 * Rounds of PBKDF2. RFC 7677 §4 asks for 4,096 at least and for more where hardware allows; a phone repeats them at
 * each login (some 20 ms), and so does this server for PLAIN.
 */
const iterations = 10_000;
/** RFC 5802 does not say; NIST SP 800-132 §5.1 asks for 16. */
const saltBytes = 16;
/** PBKDF2 hashes a long password once; what is longer than this is no password but a load. */
const maxPasswordBytes = 1024;

/** Addresses that people take for those of the operator or of the node itself (RFC 2142). */
const reserved = new Set(["abuse", "admin", "postmaster", "root", "security", "timeline", "xmpp"]);

export interface Account {
  /** The bare address. */
  readonly jid: string;
  readonly local: string;
  readonly admin: boolean;
  /** Nobody can log in to it at present. */
  readonly disabled: boolean;
  readonly createdAt: Date;
}

export interface NewAccount {
  readonly admin?: boolean;
  /** What is written with it, all or nothing; what it returns runs behind the commit, before anybody is told. */
  readonly also?: (tx: Store) => Promise<() => void>;
}

export interface AccountsOptions {
  readonly domain: string;
  readonly store: Store;
  readonly events: Events<DomainEvents>;
}

export class Accounts {
  readonly #domain: string;
  readonly #store: Store;
  readonly #rows: ReturnType<typeof accountStore>;
  readonly #events: Events<DomainEvents>;
  /** When something was taken back that opened an account, in the time of `performance.now`. */
  readonly #doubted = new Map<string, number>();
  #unknownKey: Promise<string> | undefined;
  /** Names that are accounts. What was found before a removal is not remembered. */
  readonly #known = new Set<string>();
  #removals = 0;

  constructor({ domain, store, events }: AccountsOptions) {
    this.#domain = domain;
    this.#store = store;
    this.#rows = accountStore(store);
    this.#events = events;
  }

  /** Makes an account; `conflict` where the name is or was somebody's, `not-acceptable` where it cannot be one. */
  async add(jid: Jid, password: string, { admin = false, also }: NewAccount = {}): Promise<Account> {
    const local = this.#nameOf(jid);
    const credentials = await verifiers(local, password);
    const row: AccountRow = { ...blank, local, admin, createdAt: new Date() };
    const then = await this.#store.transaction(async (tx) => {
      const rows = accountStore(tx);
      const then = await also?.(tx);
      await mustBeFree(tx, jid);
      await rows.insert(row);
      await rows.setCredentials(local, credentials);
      return then;
    });
    then?.();
    this.#events.emit("account.added", { account: jid.bare });
    return this.#account(row);
  }

  /** Throws what `add` would throw for the name now. */
  async mustBeFree(jid: Jid, store: Store = this.#store): Promise<void> {
    this.#nameOf(jid);
    await mustBeFree(store, jid);
  }

  /** `item-not-found` where there is no such account. `by` is the full address of the client that asked, if one did. */
  async setPassword(jid: Jid, password: string, by?: string): Promise<void> {
    const local = this.#localOf(jid);
    const credentials = await verifiers(local, password);
    await this.#store.transaction(async (tx) => {
      const rows = accountStore(tx);
      await mustExist(rows, jid);
      await rows.setCredentials(local, credentials);
      // What was got for the old one is worth nothing either.
      await tokenStore(tx).forgetPassword(jid.bare);
      await appPasswordStore(tx).clear(jid.bare);
      this.doubt(local);
    });
    this.#events.emit("account.password", { account: jid.bare, by });
  }

  /** Something that opened the account does so no more: who is not in yet has to prove anew that they may come in. */
  doubt(local: string): void {
    this.#doubted.set(local, performance.now());
  }

  /** Whether what was proven at a time (`performance.now`) holds. */
  isProven(local: string, since: number): boolean {
    return (this.#doubted.get(local) ?? 0) < since;
  }

  /** Lets nobody log in to an account, or its owner again; everything of it stays. `item-not-found` without one. */
  async setDisabled(jid: Jid, disabled: boolean): Promise<void> {
    const local = this.#localOf(jid);
    const changed = await this.#store.transaction(async (tx) => {
      const rows = accountStore(tx);
      const before = await mustExist(rows, jid);
      if ((before.disabledAt !== null) === disabled) return false;
      await rows.update(local, { disabledAt: disabled ? new Date() : null });
      return true;
    });
    if (changed && disabled) this.#events.emit("account.disabled", { account: jid.bare });
  }

  /** These are the administrators from now on, and nobody else; `item-not-found` where one is no account. */
  async setAdmins(jids: readonly Jid[]): Promise<void> {
    const locals = jids.map((jid) => this.#localOf(jid));
    await this.#store.transaction(async (tx) => {
      const rows = accountStore(tx);
      for (const jid of jids) await mustExist(rows, jid);
      await rows.setAdmins(locals);
    });
  }

  /** Ends an account. Its name stays taken, so that nobody inherits its contacts and followers. */
  async remove(jid: Jid): Promise<void> {
    const local = this.#localOf(jid);
    await this.#store.transaction(async (tx) => {
      const rows = accountStore(tx);
      await mustExist(rows, jid);
      await rows.remove(local, new Date());
    });
    this.#forget(local);
    await this.#clear(local);
  }

  /**
   * Ends an account at its owner's wish; `not-allowed` where nobody else could administrate. It is gone when this
   * resolves, and what is kept of it when what it returns does.
   */
  async leave(jid: Jid): Promise<() => Promise<void>> {
    const local = this.#localOf(jid);
    await this.#store.transaction(async (tx) => {
      const rows = accountStore(tx);
      const { admin } = await mustExist(rows, jid);
      const isNeeded = admin && !(await rows.list()).some((other) => other.local !== local && canRule(other));
      if (isNeeded) throw new StanzaError("not-allowed", { text: "The last administrator cannot leave" });
      await rows.remove(local, new Date());
    });
    this.#forget(local);
    return () => this.#clear(local);
  }

  /** Takes away what is left of accounts whose removal was interrupted. To be called once all listen. */
  async finishRemovals(): Promise<void> {
    for (const { local } of await this.#rows.leaving()) await this.#clear(local);
  }

  /** Everybody who keeps something of the account lets go of it. */
  async #clear(local: string): Promise<void> {
    const account = `${local}@${this.#domain}`;
    if (await this.#events.settle("account.removed", { account })) await this.#rows.setCleared(local);
  }

  async list(): Promise<Account[]> {
    const rows = await this.#rows.list();
    return rows.filter((row) => !row.removedAt).map((row) => this.#account(row));
  }

  async find(local: string): Promise<Account | undefined> {
    const row = await this.#rows.find(local);
    return row && !row.removedAt ? this.#account(row) : undefined;
  }

  /** Whether there is an account of that name. Asked for every message, so that who is there is remembered. */
  exists(local: string): boolean | Promise<boolean> {
    return this.#known.has(local) || this.#look(local);
  }

  #forget(local: string): void {
    this.#removals += 1;
    this.#known.delete(local);
  }

  async #look(local: string): Promise<boolean> {
    const removals = this.#removals;
    const exists = (await this.find(local)) !== undefined;
    if (exists && removals === this.#removals) this.#known.add(local);
    return exists;
  }

  /** Whether there is an account that may be used. */
  async admits(local: string): Promise<boolean> {
    return (await this.find(local))?.disabled === false;
  }

  /**
   * What to check a password of this name against. An unknown name gets made-up credentials that are always the
   * same, so that a login attempt does not tell who has an account (RFC 5802 §5.1 sends salt and rounds to anybody).
   * An account that was imported may have those of one hash alone: `orOther` takes what there is.
   */
  async credentials(local: string, hash: ScramHash, orOther?: "orOther"): Promise<Verifier> {
    const [own, key] = await Promise.all([this.#rows.credentials(local, hash), this.#keyOfUnknown()]);
    const row = own ?? (orOther && (await this.#rows.verifiers(local))[0]);
    if (row) {
      const disabled = (await this.#rows.find(local))?.disabledAt;
      const verifier = { credentials: fromRow(row), hash: row.hash, known: true };
      return disabled ? { ...verifier, disabled: true } : verifier;
    }
    const derived = (what: string, length: number) =>
      createHmac("sha512", key).update(`${what} ${hash} ${local}`).digest().subarray(0, length);
    return {
      credentials: {
        salt: derived("salt", saltBytes),
        iterations,
        storedKey: derived("stored", hashes[hash]),
        serverKey: derived("server", hashes[hash]),
      },
      hash,
      known: false,
    };
  }

  #keyOfUnknown(): Promise<string> {
    return (this.#unknownKey ??= this.#rows.secret("unknown-accounts", randomBytes(32).toString("base64")));
  }

  /** The localpart of an address that can become somebody's. */
  #nameOf(jid: Jid): string {
    const local = this.#localOf(jid);
    if (!reserved.has(local)) return local;
    throw new StanzaError("not-acceptable", { text: `The name "${local}" is reserved` });
  }

  #localOf(jid: Jid): string {
    if (jid.domain !== this.#domain || !jid.isBare || prepareLocal(jid.local) !== jid.local) {
      throw new StanzaError("not-acceptable", { text: `${jid.full} is not an address at ${this.#domain}` });
    }
    return jid.local;
  }

  #account({ local, admin, createdAt, disabledAt }: AccountRow): Account {
    return { jid: `${local}@${this.#domain}`, local, admin, disabled: disabledAt !== null, createdAt };
  }
}

const blank = { removedAt: null, disabledAt: null, cleared: false };

const canRule = ({ admin, removedAt, disabledAt }: AccountRow): boolean =>
  admin && removedAt === null && disabledAt === null;

async function mustBeFree(store: Store, jid: Jid): Promise<void> {
  const taken = await accountStore(store).find(jid.local);
  if (taken) {
    const text = taken.removedAt
      ? `${jid.bare} was removed, and its name is not given to anybody else`
      : `${jid.bare} exists already`;
    throw new StanzaError("conflict", { text });
  }
  // XEP-0445 §5
  if (await invitationStore(store).isReserved(jid.local, new Date()))
    throw new StanzaError("conflict", { text: `${jid.bare} is kept for somebody who was invited` });
}

async function mustExist(rows: ReturnType<typeof accountStore>, jid: Jid): Promise<AccountRow> {
  const row = await rows.find(jid.local);
  if (row && !row.removedAt) return row;
  throw new StanzaError("item-not-found", { text: `There is no account ${jid.bare}` });
}

async function verifiers(local: string, password: string): Promise<CredentialsRow[]> {
  if (password === "" || Buffer.byteLength(password) > maxPasswordBytes) {
    throw new StanzaError("not-acceptable", { text: `A password has 1 to ${maxPasswordBytes} bytes` });
  }
  const names = Object.keys(hashes) as ScramHash[];
  return Promise.all(
    names.map(async (hash) => {
      const c = await deriveCredentials(password, hash, randomBytes(saltBytes), iterations);
      return {
        local,
        hash,
        salt: c.salt.toString("base64"),
        iterations: c.iterations,
        storedKey: c.storedKey.toString("base64"),
        serverKey: c.serverKey.toString("base64"),
      };
    }),
  );
}

const fromRow = ({ salt, iterations, storedKey, serverKey }: CredentialsRow): ScramCredentials => ({
  salt: Buffer.from(salt, "base64"),
  iterations,
  storedKey: Buffer.from(storedKey, "base64"),
  serverKey: Buffer.from(serverKey, "base64"),
});
