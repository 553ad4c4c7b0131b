/** Structured logs. What could be a secret is never handed to the logger; redaction is the second lock. */
import { destination, pino, type Logger } from "pino";

export type { Logger };

export type LogLevel = "fatal" | "error" | "warn" | "info" | "debug" | "trace" | "silent";

const secrets = ["password", "authorization", "cookie", "token", "secret", "stored_key", "server_key"];

export function createLogger(level: LogLevel): Logger {
  // Standard output is for what was asked for: the addresses, a command's answer.
  const lines = destination({ fd: 2, sync: true });
  // A full disk or a closed terminal takes the log, but not the node.
  lines.on("error", () => undefined);
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: secrets.flatMap((name) => [name, `*.${name}`]), censor: "[hidden]" },
    },
    lines,
  );
}
