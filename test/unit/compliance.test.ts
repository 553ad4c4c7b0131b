/** The README's table of XEP-0479: each line is claimed by the code, and shown by tests that there are. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { compliance } from "../../src/compliance.ts";
import { claims } from "../../src/doc.ts";

/** The full names of a file's tests: each behind those of the suites around it, which its indentation tells. */
function testsOf(file: string): Set<string> {
  const text = readFileSync(new URL(`../../../test/protocol/${file}.test.ts`, import.meta.url), "utf8");
  const calls = /^( *)(describe|test|it)\(\s*(["'`])((?:\\.|(?!\3).)+)\3/gm;
  const names = new Set<string>();
  const around: { depth: number; name: string }[] = [];
  for (const [, { length: depth } = "", kind, , name = ""] of text.matchAll(calls)) {
    while ((around.at(-1)?.depth ?? -1) >= depth) around.pop();
    if (kind === "describe") around.push({ depth, name });
    else names.add([...around.map((suite) => suite.name), name].join(" "));
  }
  return names;
}

describe("a line of the compliance suites", () => {
  for (const { category, feature, specification, shown, later } of compliance) {
    test(`${category}, ${feature}: ${specification}`, () => {
      const proofs = Object.entries(shown);
      assert.equal(proofs.length === 0, later !== undefined, "it is either shown or still to come");
      for (const [file, tests] of proofs) {
        const there = testsOf(file);
        for (const name of tests) assert(there.has(name), `${file}.test.ts has no test "${name}"`);
      }
    });
  }

  test("that is shown is among the specifications that the code claims", () => {
    const { xeps, rfcs } = claims();
    const claimed = new Set([
      ...xeps.map(({ number }) => `XEP-${number}`),
      ...rfcs.map((number) => `RFC ${number}`),
    ]);
    const shown = compliance.filter(({ later }) => later === undefined);
    const missing = shown.filter(({ specification }) => !claimed.has(specification));
    assert.deepEqual(missing, []);
  });

  test("is there once", () => {
    const lines = compliance.map(({ category, feature, specification }) =>
      [category, feature, specification].join(),
    );
    assert.equal(new Set(lines).size, lines.length);
  });
});
