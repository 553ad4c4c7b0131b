/** A face for those who have not shown theirs: the first letter of the name on a colour of its own. */
import { createHash } from "node:crypto";
import { escapeText } from "../xmpp/xml.ts";

/** Quiet colours on which white is easy to read (4.5:1 and more). */
const colours = [
  "#5a6b2f",
  "#2f6b52",
  "#2f6273",
  "#40598f",
  "#5f4f8f",
  "#7d4780",
  "#8f4064",
  "#94453f",
  "#8a5524",
  "#6e6226",
];

const graphemes = new Intl.Segmenter("und", { granularity: "grapheme" });

/** An SVG document; `jid` is bare. */
export function drawnAvatar(jid: string): string {
  const hash = createHash("sha256").update(jid).digest().readUInt16BE();
  const [first] = graphemes.segment(jid);
  const initial = escapeText((first?.segment ?? "").toUpperCase());
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96" width="96" height="96">` +
    `<rect width="96" height="96" fill="${colours[hash % colours.length]}"/>` +
    `<text x="48" y="49" fill="#fff" font-family="system-ui, sans-serif" font-size="46" font-weight="600" ` +
    `text-anchor="middle" dominant-baseline="central">${initial}</text></svg>`
  );
}
