/**
 * `npm run doc`: the tables of README.md and src/doap.xml, from what the code says of itself: the modules' `xeps`, the
 * specifications that a file's opening line names, the tests behind each line of the compliance suites, and the settings.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { compliance } from "./compliance.ts";
import { configTable } from "./config.ts";
import { software } from "./modules/software.ts";
import { modules } from "./modules/index.ts";
import { xeps, type Xep } from "./xeps.ts";

// This file runs as dist/src/doc.js.
const root = new URL("../../", import.meta.url);

interface Claim extends Xep {
  readonly number: string;
  readonly files: ReadonlySet<string>;
}

/** What is implemented, in the order of the numbers. */
export function claims(): { xeps: Claim[]; rfcs: string[] } {
  const files = new Map<string, Set<string>>();
  const versions = new Map<string, string>();
  const claim = (specification: string, file: string): void => {
    files.set(specification, (files.get(specification) ?? new Set()).add(file));
  };
  for (const module of modules) {
    for (const [number = "", version] of (module.xeps ?? []).map((xep) => xep.split(" "))) {
      claim(`XEP-${number}`, `src/modules/${module.name}.ts`);
      if (version !== undefined) versions.set(number, version);
    }
  }
  for (const file of sources()) {
    for (const specification of openingLine(file).match(/\b(?:XEP-\d{4}|RFC \d{4})\b/g) ?? []) {
      claim(specification, file);
    }
  }
  const numbers = (series: string): string[] =>
    [...files.keys()]
      .filter((name) => name.startsWith(series))
      .map((name) => name.slice(series.length + 1))
      .sort();
  return {
    rfcs: numbers("RFC"),
    xeps: numbers("XEP").map((number) => {
      const xep = xeps[number];
      if (!xep) throw new Error(`src/xeps.ts knows nothing of XEP-${number}`);
      const version = versions.get(number) ?? xep.version;
      return { ...xep, number, version, files: files.get(`XEP-${number}`)! };
    }),
  };
}

/** Not those of the store, which keeps what others implement. */
function sources(): string[] {
  return readdirSync(new URL("src/", root), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.startsWith("store"))
    .map((file) => `src/${file}`)
    .sort();
}

/** The first line of the comment that begins a file: by the house rule, which specification or which job it is. */
function openingLine(file: string): string {
  const text = readFileSync(new URL(file, root), "utf8");
  return /^(?:#!.*\n)?\/\*\*\s*(?:\n \* )?(.*)/.exec(text)?.[1] ?? "";
}

/** More files of one room than this are told as the room. */
const maxFiles = 3;

function places(files: ReadonlySet<string>): string {
  const rooms = new Map<string, string[]>();
  for (const file of files) {
    const room = file.slice(0, file.lastIndexOf("/") + 1);
    rooms.set(room, [...(rooms.get(room) ?? []), file]);
  }
  const paths = [...rooms].flatMap(([room, inside]) => (inside.length > maxFiles ? [room] : inside));
  return paths.map((path) => `[${path.slice("src/".length)}](${path})`).join(", ");
}

export function specificationTable(): string {
  const { xeps, rfcs } = claims();
  const rows = xeps.map(({ number, title, version, maturity, note = "", files }) => [
    `[${number}](https://xmpp.org/extensions/xep-${number}.html)`,
    ...[title, version, maturity, note],
    places(files),
  ]);
  const links = rfcs.map((number) => `[${number}](https://www.rfc-editor.org/rfc/rfc${number})`);
  return `${table([["XEP", "Title", "Version", "State", "Note", "Where"], ...rows])}\n\nRFCs: ${links.join(", ")}.`;
}

export function complianceTable(): string {
  const rows = compliance.map(({ category, feature, level, specification, shown, later }) => [
    ...[category, feature, level, specification],
    Object.entries(shown)
      .flatMap(([file, tests]) =>
        tests.map((test) => `[${test.replaceAll("<", "\\<")}](test/protocol/${file}.test.ts)`),
      )
      .join("; ") || `_later: ${later}_`,
  ]);
  return table([["Category", "Feature", "Level", "Specification", "Shown by"], ...rows]);
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
  const parts = {
    specifications: specificationTable(),
    compliance: complianceTable(),
    configuration: configurationTable(),
  };
  return Object.entries(parts).reduce((text, [name, part]) => {
    const marks = new RegExp(`(<!-- ${name}: npm run doc -->\n)[^]*?(<!-- /${name} -->)`);
    if (!marks.test(text)) throw new Error(`README.md has no marks for ${name}`);
    return text.replace(marks, (_, begin: string, end: string) => `${begin}\n${part}\n\n${end}`);
  }, readme);
}

/** A description of the project for programs, such as xmpp.org's list of software (XEP-0453). */
export function doap(): string {
  const { xeps, rfcs } = claims();
  const lines = rfcs.map(
    (number) => `<implements rdf:resource="https://www.rfc-editor.org/info/rfc${number}"/>`,
  );
  for (const { number, version, note } of xeps) {
    lines.push(
      "<implements>",
      "  <xmpp:SupportedXep>",
      `    <xmpp:xep rdf:resource="https://xmpp.org/extensions/xep-${number}.html"/>`,
      `    <xmpp:status>${note === undefined ? "complete" : "partial"}</xmpp:status>`,
      `    <xmpp:version>${version}</xmpp:version>`,
      ...(note === undefined ? [] : [`    <xmpp:note xml:lang="en">${note}</xmpp:note>`]),
      "  </xmpp:SupportedXep>",
      "</implements>",
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
${lines.map((line) => `    ${line}`).join("\n")}
  </Project>
</rdf:RDF>
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const readme = new URL("README.md", root);
  writeFileSync(readme, fillReadme(readFileSync(readme, "utf8")));
  writeFileSync(new URL("src/doap.xml", root), doap());
}
