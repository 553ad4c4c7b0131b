/** README.md and src/doap.xml say what the code says. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { doap, fillReadme } from "../../src/doc.ts";

const stale = "it is out of date: run `npm run doc`";
const read = (file: string): string => readFileSync(new URL(`../../../${file}`, import.meta.url), "utf8");

test("the tables of README.md are those of the code", () => {
  const readme = read("README.md");
  assert.equal(readme, fillReadme(readme), stale);
});

test("src/doap.xml is that of the code", () => {
  assert.equal(read("src/doap.xml"), doap(), stale);
});
