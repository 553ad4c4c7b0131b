/** Time, for what waits for minutes and days: handed in, so that it can be tested without waiting. */
export interface Clock {
  /** In milliseconds since 1970. */
  now(): number;
  /** Calls back once after so many milliseconds; returns how to call it off. Keeps no program alive. */
  after(milliseconds: number, call: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(milliseconds, call) {
    const timer = setTimeout(call, milliseconds);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
