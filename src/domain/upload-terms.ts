/** XEP-0363 §5: what an account may upload for each purpose, and how long it stays. */
import type { Config } from "../config.ts";
import type { UploadPurpose, UploadRow } from "../store/uploads.ts";
import { formatDateTime } from "../xmpp/datetime.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { xml } from "../xmpp/xml.ts";

const day = 24 * 3_600_000;
/** An avatar is small, and so are all of one person's together (§5.2); clients ask for less still. */
const profileFileMaximum = 4 * 1024 ** 2;
const profileQuota = 16 * 1024 ** 2;

export interface UploadTerms {
  /** Bytes of one file. */
  readonly maximum: number;
  /** Bytes of all files of an account for these purposes. */
  readonly quota: number;
  readonly purposes: readonly UploadPurpose[];
}

/** Attachments share one quota, whoever limits how long they stay. */
export function termsOf(purpose: UploadPurpose, config: Config["upload"]): UploadTerms {
  const terms = (maximum: number, quota: number, ...purposes: UploadPurpose[]): UploadTerms => ({
    maximum: Math.min(config.max_file_size, maximum, quota),
    quota,
    purposes,
  });
  if (purpose === "profile") return terms(profileFileMaximum, profileQuota, "profile");
  if (purpose === "permanent") return terms(config.max_file_size, config.permanent_quota, "permanent");
  return terms(config.max_file_size, config.quota, "message", "ephemeral");
}

/** When a file goes by itself; `null` where it stays as long as something refers to it. */
export function endOf(
  { purpose, expireBefore }: Pick<UploadRow, "purpose" | "expireBefore">,
  uploadedAt: Date,
  { keep_days }: Pick<Config["upload"], "keep_days">,
): Date | null {
  if (purpose === "profile" || purpose === "permanent") return null;
  const end = keep_days === false ? null : new Date(uploadedAt.getTime() + keep_days * day);
  return expireBefore && (!end || expireBefore < end) ? expireBefore : end;
}

/** §6: the file will never fit. */
export const tooLarge = (maximum: number): StanzaError =>
  new StanzaError("not-acceptable", {
    text: `File too large. The maximum file size is ${maximum} bytes`,
    app: xml("file-too-large", { xmlns: NS.upload }, xml("max-file-size", {}, String(maximum))),
  });

/** §6: the file does not fit now; `freeAt` is when it will, if that is known. */
export const overQuota = (quota: number, freeAt: Date | undefined): StanzaError =>
  new StanzaError("resource-constraint", {
    text: `Quota reached. Your files of this kind may take ${quota} bytes together`,
    ...(freeAt && { app: xml("retry", { xmlns: NS.upload, stamp: formatDateTime(freeAt) }) }),
  });
