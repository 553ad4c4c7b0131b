/** What happened, told after the fact: every listener hears it, none can veto it, and one that fails is logged. */
import type { Logger } from "./log.ts";

export class Events<Map extends object> {
  /** By any name, so that who tells much may be handed to who listens to little. */
  readonly #listeners = new globalThis.Map<PropertyKey, ((event: never) => unknown)[]>();
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
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        const done = listener(event as never);
        if (done instanceof Promise) done.catch((error: unknown) => this.#failed(name, error));
      } catch (error) {
        this.#failed(name, error);
      }
    }
  }

  #failed(name: PropertyKey, error: unknown): void {
    this.#log.error({ err: error, event: String(name) }, "an event listener failed");
  }
}
