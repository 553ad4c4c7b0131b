/** RFC 6120 §6.4.2, RFC 4648 §4: the encoding of SASL data, without mercy for what is nearly base64. */
import { SaslError } from "../errors.ts";

/** The bytes of canonical base64: no white space, right padding, no stray bits; else `incorrect-encoding`. */
export function decodeBase64(text: string): Buffer {
  const bytes = Buffer.from(text, "base64");
  if (bytes.toString("base64") !== text) throw new SaslError("incorrect-encoding");
  return bytes;
}
