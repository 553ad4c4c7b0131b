/**
 * Passwords for single clients, such as those that are too old for tokens: made by the node, told once, and taken back
 * one by one. Whoever has one gets in by whatever mechanism they like: SCRAM sends the salt before it is known which
 * password it will be, so all of them stand under the salt and the rounds of the account's own, and a proof is tried
 * on one after the other. They end with the password that they were made beside.
 */
import { randomBytes, randomInt } from "node:crypto";
import type { Events } from "../events.ts";
import { accountStore, type CredentialsRow } from "../store/accounts.ts";
import { appPasswordStore, type AppPasswordRow, type AppVerifierRow } from "../store/app-passwords.ts";
import type { Store } from "../store/store.ts";
import { StanzaError } from "../xmpp/errors.ts";
import type { Jid } from "../xmpp/jid.ts";
import { deriveCredentials } from "../xmpp/sasl/scram.ts";
import { legalText } from "../xmpp/xml.ts";
import type { Accounts } from "./accounts.ts";
import type { DomainEvents } from "./events.ts";

/** A client for each; and so many proofs at most to try at a login. */
const maxOfAccount = 20;
/** In UTF-16 units. */
const maxName = 100;
/** Four groups of five: 99 bits, and no two characters that look alike. */
const alphabet = "abcdefghjkmnpqrstuvwxyz23456789";
const groups = 4;
const groupLength = 5;
const idBytes = 9;

export interface AppPassword {
  readonly id: string;
  readonly name: string;
  readonly createdAt: Date;
  readonly usedAt: Date | null;
}

export interface AppPasswordsOptions {
  readonly store: Store;
  readonly events: Events<DomainEvents>;
  readonly accounts: Pick<Accounts, "doubt">;
}

export class AppPasswords {
  readonly #store: Store;
  readonly #events: Events<DomainEvents>;
  readonly #accounts: AppPasswordsOptions["accounts"];

  constructor({ store, events, accounts }: AppPasswordsOptions) {
    this.#store = store;
    this.#events = events;
    this.#accounts = accounts;
  }

  /**
   * Makes one; it is told here and never again. `conflict` where the account has one of that name, `not-acceptable`
   * for what is no name, `resource-constraint` where there are too many, `item-not-found` without the account.
   */
  async add(jid: Jid, name: string): Promise<AppPassword & { readonly password: string }> {
    const account = jid.bare;
    const written = nameOf(name);
    const own = await this.#ownOf(jid);
    const password = generate();
    const row: AppPasswordRow = {
      ...{ account, name: written, createdAt: new Date(), usedAt: null },
      id: randomBytes(idBytes).toString("base64url"),
    };
    const verifiers = await Promise.all(own.map((verifier) => beside(verifier, row, password)));
    await this.#store.transaction(async (tx) => {
      const rows = appPasswordStore(tx);
      const all = await rows.of(account);
      if (all.some((one) => one.name === written))
        throw new StanzaError("conflict", { text: `There is an app password "${written}" already` });
      if (all.length >= maxOfAccount)
        throw new StanzaError("resource-constraint", { text: "There are too many app passwords" });
      // Under another salt they would be good for nothing.
      if (JSON.stringify(await accountStore(tx).verifiers(jid.local)) !== JSON.stringify(own))
        throw new StanzaError("conflict", { text: "The password was changed meanwhile" });
      await rows.insert(row, verifiers);
    });
    return { ...shown(row), password };
  }

  /** Those of an account, by their names. */
  async list(account: string): Promise<AppPassword[]> {
    return (await appPasswordStore(this.#store).of(account)).map(shown);
  }

  /** Takes one back, by its id or its name; `item-not-found` where there is none. */
  async remove(account: string, idOrName: string): Promise<AppPassword> {
    const all = await this.list(account);
    const found = all.find(({ id }) => id === idOrName) ?? all.find(({ name }) => name === idOrName);
    if (!found) throw new StanzaError("item-not-found", { text: `There is no app password "${idOrName}"` });
    await appPasswordStore(this.#store).remove(account, found.id);
    this.#accounts.doubt(account.slice(0, account.indexOf("@")));
    this.#events.emit("app-password.removed", { account, id: found.id });
    return found;
  }

  used(id: string): Promise<void> {
    return appPasswordStore(this.#store).setUsed(id, new Date());
  }

  async #ownOf({ local, bare }: Jid): Promise<CredentialsRow[]> {
    const own = await accountStore(this.#store).verifiers(local);
    if (own.length > 0) return own;
    throw new StanzaError("item-not-found", { text: `There is no account ${bare}` });
  }
}

const shown = ({ id, name, createdAt, usedAt }: AppPasswordRow): AppPassword => ({
  id,
  name,
  createdAt,
  usedAt,
});

function nameOf(text: string): string {
  const name = legalText(text).trim();
  if (name !== "" && name.length <= maxName) return name;
  throw new StanzaError("not-acceptable", { text: `A name has 1 to ${maxName} characters` });
}

const generate = (): string =>
  Array.from({ length: groups }, () =>
    Array.from({ length: groupLength }, () => alphabet[randomInt(alphabet.length)]).join(""),
  ).join("-");

async function beside(
  { hash, salt, iterations }: CredentialsRow,
  { account, id }: AppPasswordRow,
  password: string,
): Promise<AppVerifierRow> {
  const keys = await deriveCredentials(password, hash, Buffer.from(salt, "base64"), iterations);
  const [storedKey, serverKey] = [keys.storedKey, keys.serverKey].map((key) => key.toString("base64"));
  return { account, hash, appPassword: id, storedKey: storedKey!, serverKey: serverKey! };
}
