/**
 * `npm run doc`: the tables of README.md and doap.xml, from what the code says of itself: the modules' `xeps`, the
 * specifications that a file's opening line names, and the settings.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { configTable } from "./config.ts";
import { software } from "./modules/software.ts";
import { modules } from "./modules/index.ts";
import { xeps, type Xep } from "./xeps.ts";

// This file runs as dist/src/doc.js.
const root = new URL("../../", import.meta.url);

/** A specification and the files that implement it. */
type Claims = Map<string, { version: string | undefined; files: Set<string> }>;

function claims(): Claims {
  const found: Claims = new Map();
  const claim = (specification: string, file: string, version?: string): void => {
    const known = found.get(specification) ?? { version: undefined, files: new Set() };
    known.files.add(file);
    known.version ??= version;
    found.set(specification, known);
  };
  for (const module of modules) {
    for (const xep of module.xeps ?? []) {
      const [number, version] = xep.split(" ");
      claim(`XEP-${number}`, `src/modules/${module.name}.ts`, version);
    }
  }
  for (const file of sources()) {
    for (const specification of openingLine(file).match(/\b(?:XEP-\d{4}|RFC \d{4})\b/g) ?? []) {
      claim(specification, file);
    }
  }
  return new Map([...found].sort(([a], [b]) => a.localeCompare(b)));
}

function sources(): string[] {
  return readdirSync(new URL("src/", root), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => `src/${file.replaceAll("\\", "/")}`)
    .sort();
}

/** The first line of the comment that begins a file: by the house rule, which specification or which job it is. */
function openingLine(file: string): string {
  const text = readFileSync(new URL(file, root), "utf8");
  return /^(?:#!.*\n)?\/\*\*\s*(?:\n \* )?(.*)/.exec(text)?.[1] ?? "";
}

/** More files of one room than this are told as the room. */
const maxFiles = 2;

function places(files: ReadonlySet<string>): string {
  const rooms = new Map<string, string[]>();
  for (const file of files) {
    const room = file.slice(0, file.lastIndexOf("/") + 1);
    rooms.set(room, [...(rooms.get(room) ?? []), file]);
  }
  const paths = [...rooms].flatMap(([room, inside]) => (inside.length > maxFiles ? [room] : inside));
  return paths.map((path) => `[${path.slice("src/".length)}](${path})`).join(", ");
}

function detailsOf(number: string): Xep {
  const xep = xeps[number];
  if (!xep) throw new Error(`src/xeps.ts knows nothing of XEP-${number}`);
  return xep;
}

export function specificationTable(): string {
  const rows: string[][] = [["XEP", "Title", "Version", "State", "Note", "Where"]];
  const rfcs: string[] = [];
  for (const [name, { version, files }] of claims()) {
    const number = name.slice("XEP-".length);
    if (name.startsWith("RFC")) {
      const rfc = name.slice("RFC ".length);
      rfcs.push(`[${rfc}](https://www.rfc-editor.org/rfc/rfc${rfc})`);
      continue;
    }
    const xep = detailsOf(number);
    rows.push([
      `[${number}](https://xmpp.org/extensions/xep-${number}.html)`,
      xep.title,
      version ?? xep.version,
      xep.maturity,
      xep.note ?? "",
      places(files),
    ]);
  }
  return `${table(rows)}\n\nRFCs: ${rfcs.join(", ")}.`;
}

export function configurationTable(): string {
  return table([
    ["Key", "Default", "Environment", "Meaning"],
    ...configTable().map((row) => [`\`${row.key}\``, row.default, `\`${row.environment}\``, row.meaning]),
  ]);
}

/** A Markdown table as prettier writes it: cells filled up to the width of their column. */
function table(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  const line = (row: readonly string[], filler = " "): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column]!, filler)).join(" | ")} |`;
  const [head, ...body] = cells;
  return [
    line(head!),
    line(
      widths.map(() => ""),
      "-",
    ),
    ...body.map((row) => line(row)),
  ].join("\n");
}

/** The README with its generated parts replaced; throws where the marks of one are missing. */
export function fillReadme(readme: string): string {
  const parts = { specifications: specificationTable(), configuration: configurationTable() };
  return Object.entries(parts).reduce((text, [name, part]) => {
    const marks = new RegExp(`(<!-- ${name}: npm run doc -->\n)[^]*?(<!-- /${name} -->)`);
    if (!marks.test(text)) throw new Error(`README.md has no marks for ${name}`);
    return text.replace(marks, (_, begin: string, end: string) => `${begin}\n${part}\n\n${end}`);
  }, readme);
}

/** A description of the project for programs, such as xmpp.org's list of software (XEP-0453). */
export function doap(): string {
  const lines: string[] = [];
  for (const [name, { version }] of claims()) {
    if (name.startsWith("RFC")) {
      const number = name.slice("RFC ".length);
      lines.push(`    <implements rdf:resource="https://www.rfc-editor.org/info/rfc${number}"/>`);
      continue;
    }
    const number = name.slice("XEP-".length);
    const { note, version: read } = detailsOf(number);
    lines.push(
      "    <implements>",
      "      <xmpp:SupportedXep>",
      `        <xmpp:xep rdf:resource="https://xmpp.org/extensions/xep-${number}.html"/>`,
      `        <xmpp:status>${note === undefined ? "complete" : "partial"}</xmpp:status>`,
      `        <xmpp:version>${version ?? read}</xmpp:version>`,
      ...(note === undefined ? [] : [`        <xmpp:note xml:lang="en">${note}</xmpp:note>`]),
      "      </xmpp:SupportedXep>",
      "    </implements>",
    );
  }
  return `<?xml version="1.0" encoding="UTF-8"?>
<rdf:RDF
    xmlns="http://usefulinc.com/ns/doap#"
    xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    xmlns:xmpp="https://linkmauve.fr/ns/xmpp-doap#">
  <Project>
    <name>${software.name}</name>
    <shortdesc xml:lang="en">A personal microblog node that is also a full XMPP server</shortdesc>
    <license rdf:resource="https://spdx.org/licenses/MIT.html"/>
    <programming-language>TypeScript</programming-language>
    <category rdf:resource="https://linkmauve.fr/ns/xmpp-doap#category-server"/>
${lines.join("\n")}
  </Project>
</rdf:RDF>
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const readme = new URL("README.md", root);
  writeFileSync(readme, fillReadme(readFileSync(readme, "utf8")));
  writeFileSync(new URL("doap.xml", root), doap());
}
