/** The modules of Pipit, in the order in which their stage handlers run. */
import type { PipitModule } from "./context.ts";

export const modules: readonly PipitModule[] = [];
