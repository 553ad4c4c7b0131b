/** What happened, told after the fact: every listener hears it, none can veto it, and one that fails is logged. */
import type { Logger } from "./log.ts";

type Listener = (event: never) => unknown;

export class Events<Map extends object> {
  /** By any name, so that who tells much may be handed to who listens to little. */
  readonly #listeners = new globalThis.Map<PropertyKey, Listener[]>();
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  on<Name extends keyof Map>(name: Name, listener: (event: Map[Name]) => void | Promise<void>): void {
    const listeners = this.#listeners.get(name);
    if (listeners) listeners.push(listener);
    else this.#listeners.set(name, [listener]);
  }

  emit<Name extends keyof Map>(name: Name, event: Map[Name]): void {
    for (const listener of this.#listeners.get(name) ?? []) void this.#tell(name, listener, event);
  }

  /** Tells it too, and waits until all listeners are through; `false` where one failed. */
  async settle<Name extends keyof Map>(name: Name, event: Map[Name]): Promise<boolean> {
    const listeners = this.#listeners.get(name) ?? [];
    const results = await Promise.all(listeners.map((listener) => this.#tell(name, listener, event)));
    return results.every(Boolean);
  }

  /** Waits for what listeners have begun, and for what they begin meanwhile. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  /** Whether the listener could do its work. */
  #tell(name: PropertyKey, listener: Listener, event: unknown): boolean | Promise<boolean> {
    try {
      const done = listener(event as never);
      if (!(done instanceof Promise)) return true;
      const told = done.then(
        () => true,
        (error: unknown) => this.#failed(name, error),
      );
      this.#underWay.add(told);
      void told.then(() => this.#underWay.delete(told));
      return told;
    } catch (error) {
      return this.#failed(name, error);
    }
  }

  #failed(name: PropertyKey, error: unknown): false {
    this.#log.error({ err: error, event: String(name) }, "an event listener failed");
    return false;
  }
}
