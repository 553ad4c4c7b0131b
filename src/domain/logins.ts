/** What people log in with: the account's password, its app passwords, and the hashes that it has of them. */
import { accountStore } from "../store/accounts.ts";
import { appPasswordStore } from "../store/app-passwords.ts";
import type { Store } from "../store/store.ts";
import { SaslError } from "../xmpp/errors.ts";
import type { Verifier } from "../xmpp/sasl/exchange.ts";
import type { ScramCredentials, ScramHash } from "../xmpp/sasl/scram.ts";
import type { Accounts } from "./accounts.ts";

const allHashes = 3;

export interface LoginsOptions {
  readonly domain: string;
  readonly store: Store;
  readonly accounts: Accounts;
}

export class Logins {
  readonly #options: LoginsOptions;

  constructor(options: LoginsOptions) {
    this.#options = options;
  }

  /** As `Accounts.credentials`, and the app passwords beside. */
  async credentials(local: string, hash: ScramHash, orOther?: "orOther"): Promise<Verifier> {
    const { accounts, store } = this.#options;
    const own = await accounts.credentials(local, hash, orOther);
    const rows = await appPasswordStore(store).verifiers(this.#addressOf(local), own.hash);
    const others = rows.map(({ appPassword, storedKey, serverKey }) => ({
      appPassword,
      storedKey: Buffer.from(storedKey, "base64"),
      serverKey: Buffer.from(serverKey, "base64"),
    }));
    return { ...own, others };
  }

  /** Whether the account may be used by who proved to be its owner at that time (`performance.now`). */
  async admits(local: string, since: number): Promise<boolean> {
    const { accounts } = this.#options;
    return accounts.isProven(local, since) && (await accounts.admits(local));
  }

  /**
   * The hashes of an account that has not all, as one that came from another server; `undefined` for all others, also
   * those that there are not.
   */
  async hashes(local: string): Promise<readonly ScramHash[] | undefined> {
    const { store } = this.#options;
    const rows = await accountStore(store).verifiers(local);
    if (rows.length === 0 || rows.length >= allHashes) return undefined;
    return rows.map(({ hash }) => hash);
  }

  /**
   * Adds a verifier to an account that has none of this hash (XEP-0480). One with app passwords is left as it is: they
   * cannot be upgraded with it, and their clients would choose the hash that these do not have.
   */
  async upgrade(local: string, hash: ScramHash, verifier: ScramCredentials, since: number): Promise<void> {
    const { store, accounts } = this.#options;
    await store.transaction(async (tx) => {
      const rows = accountStore(tx);
      const all = await rows.verifiers(local);
      if (!accounts.isProven(local, since) || all.length === 0) throw new SaslError("not-authorized");
      const apps = await appPasswordStore(tx).of(this.#addressOf(local));
      if (apps.length > 0 || all.some((one) => one.hash === hash)) return;
      const { salt, iterations, storedKey, serverKey } = verifier;
      const row = {
        ...{ local, hash, iterations },
        salt: salt.toString("base64"),
        storedKey: storedKey.toString("base64"),
        serverKey: serverKey.toString("base64"),
      };
      await rows.setCredentials(local, [...all, row]);
    });
  }

  #addressOf(local: string): string {
    return `${local}@${this.#options.domain}`;
  }
}
