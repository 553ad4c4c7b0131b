/** QR codes (ISO 18004), as the pages draw them. */
import { generate } from "lean-qr";
import { toSvgPath } from "lean-qr/extras/svg";
import type { QrCode } from "../../views/model.ts";

export function qrCode(text: string): QrCode {
  const code = generate(text);
  return { size: code.size, path: toSvgPath(code) };
}
