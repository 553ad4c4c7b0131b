/** XEP-0441: what an account wants to have archived. */
import { messageStore } from "../store/messages.ts";
import type { ArchiveDefault } from "../store/schema.ts";
import type { Store } from "../store/store.ts";
import type { Jid } from "../xmpp/jid.ts";

/** Accounts whose preferences are in memory; nearly all have none, which is known as cheaply. */
const cacheSize = 20_000;

export interface Preferences {
  /** For whom neither list names: everybody, nobody, or those in the roster. */
  readonly default: ArchiveDefault;
  /** Addresses, bare or full. */
  readonly always: readonly string[];
  readonly never: readonly string[];
}

/** What holds where an account has said nothing. */
const archiveAll: Preferences = { default: "always", always: [], never: [] };

export interface ArchivePreferencesOptions {
  readonly store: Store;
  /** Whether a contact stands in an account's roster. */
  isContact(account: string, bare: string): boolean | Promise<boolean>;
}

export class ArchivePreferences {
  readonly #rows: ReturnType<typeof messageStore>;
  readonly #options: ArchivePreferencesOptions;
  #known = new Map<string, Preferences>();

  constructor(options: ArchivePreferencesOptions) {
    this.#rows = messageStore(options.store);
    this.#options = options;
  }

  async of(account: string): Promise<Preferences> {
    const known = this.#known.get(account);
    if (known) return known;
    const preferences = (await this.#rows.preferences(account)) ?? archiveAll;
    // Another one may have been set meanwhile.
    return this.#known.get(account) ?? this.#keep(account, preferences);
  }

  async set(account: string, preferences: Preferences): Promise<void> {
    const { default: byDefault, always, never } = preferences;
    await this.#rows.setPreferences({ account, default: byDefault, always: [...always], never: [...never] });
    this.#keep(account, preferences);
  }

  forget(account: string): void {
    this.#known.delete(account);
  }

  /** Whether what the account and somebody write to each other is archived. */
  wants(account: string, other: Jid): boolean | Promise<boolean> {
    const known = this.#known.get(account);
    if (known === archiveAll) return true;
    if (known) return this.#decide(known, account, other);
    return this.of(account).then((preferences) => this.#decide(preferences, account, other));
  }

  #decide({ default: byDefault, always, never }: Preferences, account: string, other: Jid) {
    const isIn = (list: readonly string[]) => list.includes(other.bare) || list.includes(other.full);
    // To keep less is the stronger wish.
    if (isIn(never)) return false;
    if (isIn(always)) return true;
    return byDefault === "roster" ? this.#options.isContact(account, other.bare) : byDefault === "always";
  }

  #keep(account: string, preferences: Preferences): Preferences {
    if (this.#known.size >= cacheSize) this.#known = new Map();
    this.#known.set(account, preferences);
    return preferences;
  }
}
