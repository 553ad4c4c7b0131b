/** Why the node could not start, in words for its operator. */
import type { Config } from "./config.ts";

/** A reason that the operator can mend; the message says all there is to say. */
export class StartError extends Error {
  override readonly name = "StartError";
}

/** Runs a step that depends on a file or directory, and puts its failure in one line. */
export function explain<T>(setting: string, path: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw new StartError(`${setting}: ${path} cannot be used: ${(error as Error).message}`, { cause: error });
  }
}

/** Says in plain words why a port could not be had. */
export async function explainListening<T>(listen: Config["listen"], start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    const { code, port, address } = error as NodeJS.ErrnoException & { port?: number; address?: string };
    const setting = Object.entries(listen).find(([key, value]) => key !== "host" && value === port)?.[0];
    const where = `listen.${setting ?? "host"}: port ${port} on ${address ?? "all addresses"}`;
    if (code === "EADDRINUSE") throw new StartError(`${where} is in use already`, { cause: error });
    if (code === "EACCES") throw new StartError(`${where} may not be used by this user`, { cause: error });
    if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") {
      throw new StartError(`listen.host: this machine has no address ${listen.host}`, { cause: error });
    }
    throw error;
  }
}
