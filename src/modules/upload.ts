/** XEP-0363: HTTP File Upload. `upload.<domain>` gives slots; the files themselves come and go over HTTP (`web/uploads`). */
import { mediaType, type UploadWish } from "../domain/uploads.ts";
import { get, type IqRequest } from "../server/module.ts";
import { formElement } from "../xmpp/dataform.ts";
import { parseDateTime } from "../xmpp/datetime.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, children, namespaceOf, xml, type Element } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";

const name = "upload";
const title = "HTTP File Upload";
const purposes = ["message", "profile", "ephemeral", "permanent"] as const;
/** How often files that are over are looked for, in milliseconds; nobody gets them meanwhile. */
const sweepInterval = 60_000;

export default defineModule({
  name,
  xeps: ["0363"],
  setup: ({ config, accounts, uploads, log }) => {
    if (config.listen.http === false) return {};

    async function slot({ from, payload }: IqRequest): Promise<Element> {
      if (from.domain !== config.domain || !(await accounts.admits(from.local)))
        throw new StanzaError("forbidden", { text: `Only people of ${config.domain} upload files here` });
      const url = await uploads.slot(from.bare, wishIn(payload));
      return xml("slot", { xmlns: NS.upload }, xml("put", { url }), xml("get", { url }));
    }

    const sizes = { name: "max-file-size", values: [String(uploads.maximum)] };
    const form = formElement({ type: "result", formType: NS.upload, fields: new Map([[sizes.name, sizes]]) });

    const sweeper = setInterval(() => {
      uploads.sweep().catch((error: unknown) => log.error({ err: error }, "uploads could not be removed"));
    }, sweepInterval);
    sweeper.unref();

    return {
      services: [
        {
          name,
          address: `upload.${config.domain}`,
          identities: [{ category: "store", type: "file", name: title }],
          features: [NS.upload, ...purposes.map((purpose) => `${NS.uploadPurpose}#${purpose}`)],
          disco: { info: ({ node }) => (node === undefined ? { forms: [form] } : undefined) },
        },
      ],
      iq: [get(NS.upload, "request", name, slot)],
      close: () => clearInterval(sweeper),
    };
  },
});

/** §4 and §5. `bad-request` where something is missing or no sense can be made of it. */
function wishIn(request: Element): UploadWish {
  const filename = attr(request, "filename");
  const size = attr(request, "size") ?? "";
  const type = attr(request, "content-type")?.trim() || undefined;
  if (!filename) throw new StanzaError("bad-request", { text: "The filename is missing" });
  if (!/^0*[1-9]\d{0,15}$/.test(size))
    throw new StanzaError("bad-request", { text: "The size is a number of bytes, 1 or more" });
  if (type !== undefined && !mediaType.test(type))
    throw new StanzaError("bad-request", { text: "The content-type is no media type" });
  return { name: filename, size: Number(size), type, ...purposeIn(request) };
}

function purposeIn(request: Element): Pick<UploadWish, "purpose" | "expireBefore"> {
  const [said, ...more] = children(request).filter((one) => namespaceOf(one) === NS.uploadPurpose);
  if (!said) return { purpose: "message" };
  if (more.length > 0) throw new StanzaError("bad-request", { text: "A file has one purpose" });
  const purpose = purposes.find((known) => known === said.name);
  if (!purpose) throw new StanzaError("feature-not-implemented", { text: "That purpose is not known here" });
  if (purpose !== "ephemeral") return { purpose };
  const expireBefore = parseDateTime(attr(said, "expire-before") ?? "");
  if (!expireBefore) throw new StanzaError("bad-request", { text: "The moment in expire-before is missing" });
  return { purpose, expireBefore };
}
