/** `pipit export` and `pipit import`: accounts to a file and from one (XEP-0227). */
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { exportAccounts } from "./domain/export.ts";
import { importAccounts, type ImportReport } from "./domain/import.ts";
import type { OpenNode } from "./node.ts";
import { StanzaError } from "./xmpp/errors.ts";
import type { Jid } from "./xmpp/jid.ts";

/** Verifiers and private messages are for nobody but who runs the node. */
const mode = 0o600;

/** Writes one account, or all of the host, to a file that is there only once it is whole. */
export async function exportTo(node: OpenNode, file: string, account: Jid | undefined): Promise<void> {
  const { domain } = node.config;
  if (account && account.domain !== domain)
    throw new StanzaError("item-not-found", { text: `${account.bare} is not an account of ${domain}` });
  const unfinished = `${file}.part`;
  try {
    const text = Readable.from(exportAccounts(node, account?.local));
    await pipeline(text, createWriteStream(unfinished, { mode }));
    await rename(unfinished, file);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw isFileError(error) ? new StanzaError("not-acceptable", { text: error.message }) : error;
  }
}

const isFileError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && "syscall" in error;

/** Takes the accounts of a file over; refused where none can be. */
export async function importFrom(node: OpenNode, file: string, admins: boolean): Promise<ImportReport> {
  const report = await importAccounts(node, file, { admins });
  if (report.imported.length > 0 || report.left.length === 0) return report;
  throw new StanzaError("not-acceptable", { text: `nothing was imported\n${reportText(report)}` });
}

/** A report for people: what is done, what is left out, and what is missing of what is done. */
export function reportText({ imported, left, notes }: ImportReport): string {
  return [
    ...imported.map((jid) => `${jid} is imported`),
    ...left.map(({ jid, reason }) => `${jid} is left out: ${reason}`),
    ...notes.map(({ jid, text }) => `${jid}: ${text}`),
  ].join("\n");
}
