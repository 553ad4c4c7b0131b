/** XEP-0227: accounts from a file, one after the other; what cannot be taken over is told, and stops nobody else. */
import type { Events } from "../events.ts";
import type { DocumentEvent } from "../xmpp/document-reader.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { parseJid, prepareDomain, type Jid } from "../xmpp/jid.ts";
import { attr } from "../xmpp/xml.ts";
import type { ArchivePreferences } from "./archive-preferences.ts";
import type { Avatars } from "./avatars.ts";
import type { Blocking } from "./blocking.ts";
import type { DomainEvents } from "./events.ts";
import type { ExportContext } from "./export.ts";
import type { FullText } from "./full-text.ts";
import { AccountImport } from "./import-account.ts";
import { readPortable, userDepth } from "./import-file.ts";
import type { Waiting } from "./waiting.ts";

export interface ImportContext extends ExportContext {
  readonly events: Events<DomainEvents>;
  readonly archivePreferences: ArchivePreferences;
  readonly avatars: Avatars;
  readonly blocking: Blocking;
  readonly fullText: FullText;
  readonly waiting: Waiting;
}

export interface ImportReport {
  /** Bare addresses. */
  readonly imported: string[];
  /** Accounts and hosts that were left out, and why. */
  readonly left: { readonly jid: string; readonly reason: string }[];
  /** What was left out of those that were imported. */
  readonly notes: { readonly jid: string; readonly text: string }[];
}

export interface ImportOptions {
  /** Whether administrators are administrators again. */
  readonly admins: boolean;
}

/** StanzaError `not-acceptable` where the file cannot be read to its end; what came before is imported. */
export async function importAccounts(
  context: ImportContext,
  file: string,
  options: ImportOptions,
): Promise<ImportReport> {
  const run = new Import(context, options);
  try {
    for await (const event of readPortable(file)) await run.take(event);
  } catch (error) {
    if (!(error instanceof StanzaError)) throw error;
    const done = `accounts imported before that: ${run.report.imported.join(", ") || "none"}`;
    throw new StanzaError(error.condition, { text: `${error.message} (${done})` });
  }
  return run.report;
}

class Import {
  readonly report: ImportReport = { imported: [], left: [], notes: [] };
  readonly #context: ImportContext;
  readonly #options: ImportOptions;
  /** The host that is being read, where it is this one. */
  #host: string | undefined;
  #jid: Jid | undefined;
  #account: AccountImport | undefined;
  /** The node whose items are being read. */
  #node: string | undefined;

  constructor(context: ImportContext, options: ImportOptions) {
    this.#context = context;
    this.#options = options;
  }

  async take(event: DocumentEvent): Promise<void> {
    const depth = event.path.length;
    if (event.kind === "element") return this.#element(event);
    if (event.kind === "enter") {
      if (depth === userDepth - 1) this.#enterHost(event.attrs);
      else if (depth === userDepth) await this.#enterUser(event.attrs);
      else if (depth > userDepth + 1) this.#node = event.attrs["node"];
    } else if (depth === userDepth) await this.#leaveUser();
    else if (depth > userDepth + 1) this.#node = undefined;
  }

  #enterHost({ jid = "" }: Readonly<Record<string, string>>): void {
    const { domain } = this.#context.config;
    this.#host = prepareDomain(jid) === domain ? domain : undefined;
    if (!this.#host) this.report.left.push({ jid, reason: `this node serves ${domain}` });
  }

  async #enterUser({ name = "", password }: Readonly<Record<string, string>>): Promise<void> {
    if (!this.#host) return;
    const address = `${name}@${this.#host}`;
    const jid = parseJid(address);
    try {
      if (!jid || jid.local === "" || !jid.isBare)
        throw new StanzaError("jid-malformed", { text: "this is no address" });
      const note = (text: string) => void this.report.notes.push({ jid: jid.bare, text });
      const { admins } = this.#options;
      this.#account = await AccountImport.begin(this.#context, { jid, password, admins, note });
      this.#jid = jid;
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error;
      this.report.left.push({ jid: address, reason: error.message });
    }
  }

  /** What cannot be taken over is left out (XEP-0227 §4). */
  async #element({ element, path }: Extract<DocumentEvent, { kind: "element" }>): Promise<void> {
    if (!this.#account || path.length < userDepth) return;
    try {
      await this.#account.take(element, path, this.#node);
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error;
      const what = attr(element, "node") ?? element.name;
      this.report.notes.push({ jid: this.#jid!.bare, text: `${what}: ${error.message}` });
    }
  }

  async #leaveUser(): Promise<void> {
    const account = this.#account;
    this.#account = undefined;
    if (!account) return;
    const { bare } = this.#jid!;
    try {
      await account.complete();
      this.report.imported.push(bare);
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error;
      this.report.left.push({ jid: bare, reason: error.message });
    }
  }
}
