/** Waiting for what nothing tells of. */

/** A safety net only, for a machine that is busy with other things. In milliseconds. */
const patience = 20_000;

/** Looks at every turn of the event loop whether it is so; fails with `what` where it never is. */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const end = performance.now() + patience; !(await holds());) {
    if (performance.now() > end) throw new Error(`it never happened: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
