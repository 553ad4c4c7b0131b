/** What the modules registered, run in order. It stays synchronous as long as every handler does. */
import { stages, type IqRequest, type Passage, type Stage, type StageHandler } from "./module.ts";
import type { Registry, StageTable } from "./registry.ts";

/**
 * Runs the handlers of some stages in order, all as a rule, until one has dealt with the stanza; waits only where a
 * handler does.
 */
export function runStages(
  table: StageTable,
  passage: Passage,
  first: Stage = "filter",
  last: Stage = "deliver",
): boolean | Promise<boolean> {
  return runFrom(table, passage, stages.indexOf(first), stages.indexOf(last), 0);
}

function runFrom(
  table: StageTable,
  passage: Passage,
  first: number,
  last: number,
  handler: number,
): boolean | Promise<boolean> {
  for (let s = first; s <= last; s += 1) {
    const handlers = table[stages[s]!];
    for (let h = s === first ? handler : 0; h < handlers.length; h += 1) {
      const taken = handlers[h]!(passage);
      if (taken instanceof Promise) {
        return taken.then((dealtWith) => dealtWith === true || runFrom(table, passage, s, last, h + 1));
      }
      if (taken === true) return true;
    }
  }
  return false;
}

/** Runs handlers in order until one has dealt with the stanza. */
export function runHandlers(
  handlers: readonly StageHandler[],
  passage: Passage,
  first = 0,
): boolean | Promise<boolean> {
  for (let h = first; h < handlers.length; h += 1) {
    const taken = handlers[h]!(passage);
    if (taken instanceof Promise)
      return taken.then((dealtWith) => dealtWith === true || runHandlers(handlers, passage, h + 1));
    if (taken === true) return true;
  }
  return false;
}

/** Whether an iq was kept back: on its way out of a client of ours, or in to an account of ours (`inwards`). */
export function runGates(
  gates: readonly StageHandler[],
  iq: Pick<Passage, "stanza" | "from" | "to" | "session">,
  inwards: boolean,
): boolean | Promise<boolean> {
  const { from, to, session } = iq;
  if (gates.length === 0 || from.bare === to.bare) return false;
  const enter = (taken: boolean): boolean | Promise<boolean> =>
    taken || !inwards ? taken : runHandlers(gates, { ...iq, direction: "in", account: to.bare });
  if (!session) return enter(false);
  const taken = runHandlers(gates, { ...iq, direction: "out", account: from.bare });
  return taken instanceof Promise ? taken.then(enter) : enter(taken);
}

/** Runs the filters of requests to resources in order; one that throws ends it. */
export function runFilters(
  filters: Registry["iqFilters"],
  request: IqRequest,
  first = 0,
): void | Promise<void> {
  for (let f = first; f < filters.length; f += 1) {
    const done = filters[f]!(request);
    if (done instanceof Promise) return done.then(() => runFilters(filters, request, f + 1));
  }
}
