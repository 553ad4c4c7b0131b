/** Which domains this one speaks with, in either direction. It can change while streams are open. */

export interface S2sRules {
  /** The only ones, where there is such a list. */
  readonly allow?: readonly string[] | undefined;
  readonly deny: readonly string[];
}

export class S2sPolicy {
  #allow: ReadonlySet<string> | undefined;
  #deny: ReadonlySet<string> = new Set();
  readonly #listeners: (() => void)[] = [];

  constructor(rules: S2sRules = { deny: [] }) {
    this.set(rules);
  }

  /** A rule for a domain is one for all that is under it: who denies a server means its chat rooms, too. */
  permits(domain: string): boolean {
    if (this.#allow && !holds(this.#allow, domain)) return false;
    return this.#deny.size === 0 || !holds(this.#deny, domain);
  }

  set({ allow, deny }: S2sRules): void {
    this.#allow = allow && new Set(allow);
    this.#deny = new Set(deny);
    for (const listener of this.#listeners) listener();
  }

  /** Told after the rules have changed. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }
}

/** Whether the domain or one that it is under is in the set. */
function holds(domains: ReadonlySet<string>, domain: string): boolean {
  for (let at = 0; ;) {
    if (domains.has(at === 0 ? domain : domain.slice(at))) return true;
    const dot = domain.indexOf(".", at);
    if (dot < 0) return false;
    at = dot + 1;
  }
}
