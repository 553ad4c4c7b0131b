/** Where there is no stream header around them, elements name their namespace themselves (RFC 7395 §3.3.3, XEP-0206 §2). */
import { NS } from "../xmpp/ns.ts";

const stanzas = new Set(["iq", "message", "presence"]);

/** A serialised stanza, or what stands beside stanzas, as it stands alone. */
export function named(part: string): string {
  const end = part.search(/[\s/>]/);
  const name = part.slice(1, end);
  if (name.startsWith("stream:")) return `<${name} xmlns:stream="${NS.stream}"${part.slice(end)}`;
  return stanzas.has(name) ? `<${name} xmlns="${NS.client}"${part.slice(end)}` : part;
}
