/** What is under way at once on one stream: each comes to its end behind all that came before it. */

/** Of one stream: what a burst of messages needs to share commits, and little enough to wait for at its end. */
const maxUnderway = 256;

interface Pending {
  isThrough: boolean;
  then: () => void;
}

export class InOrder {
  /** The oldest first. */
  readonly #pending: Pending[] = [];
  readonly #failed: (error: unknown) => void;
  #idle: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;

  /** `failed` is told of what could not be handled; the others go on. */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  /** Whether no more may begin before something has come to its end. */
  get isFull(): boolean {
    return this.#pending.length >= maxUnderway;
  }

  /** Resolves once nothing is under way; `undefined` where nothing is. */
  get idle(): Promise<void> | undefined {
    if (this.#pending.length === 0) return undefined;
    if (!this.#idle) {
      let resolve!: () => void;
      const promise = new Promise<void>((done) => (resolve = done));
      this.#idle = { promise, resolve };
    }
    return this.#idle.promise;
  }

  /** `then` happens once `through` is, in its turn. */
  follow(through: Promise<unknown>, then: () => void): void {
    const one: Pending = { isThrough: false, then };
    this.#pending.push(one);
    through.then(
      () => this.#end(one),
      (error: unknown) => {
        one.then = () => this.#failed(error);
        this.#end(one);
      },
    );
  }

  /** `then` happens at once, or behind what is under way. */
  behind(then: () => void): void {
    if (this.#pending.length === 0) then();
    else this.#pending.push({ isThrough: true, then });
  }

  #end(one: Pending): void {
    one.isThrough = true;
    while (this.#pending[0]?.isThrough) this.#pending.shift()!.then();
    if (this.#pending.length > 0) return;
    this.#idle?.resolve();
    this.#idle = undefined;
  }
}
