/** The command line: what it takes, and what it calls wrong usage. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { help, parseCommandLine, UsageError } from "../../src/command.ts";
import { verbs } from "../../src/verbs.ts";

const parse = (line: string) => parseCommandLine(line.split(" ").filter(Boolean));

test("a verb takes its arguments and options, wherever they stand", () => {
  const { command, json, config } = parse("account --json add ana@x --password p --admin --config f.toml");
  assert.deepEqual(command, {
    verb: "account add",
    args: ["ana@x"],
    options: { password: "p", admin: true },
  });
  assert.deepEqual([json, config], [true, "f.toml"]);
});

test("the longer verb wins", () => {
  assert.deepEqual(parse("post ana@x hello").command?.verb, "post");
  assert.deepEqual(parse("post edit ana@x id text").command, {
    verb: "post edit",
    args: ["ana@x", "id", "text"],
    options: {},
  });
});

test("a text is one word, and may begin with dashes behind a double one", () => {
  const { command, json } = parseCommandLine(["post", "ana@x", "--", "--json is an option"]);
  assert.deepEqual(command?.args, ["ana@x", "--json is an option"]);
  assert.equal(json, false);
});

test("the text alone may be left out", () => {
  assert.deepEqual(parse("post ana@x").command?.args, ["ana@x"]);
  assert.deepEqual(parse("post edit ana@x id").command?.args, ["ana@x", "id"]);
});

for (const line of [
  "",
  "frobnicate",
  "account",
  "account frobnicate",
  "account add",
  "account add a b",
  "account list extra",
  "account list --admin",
  "account list --frobnicate",
  "account add ana@x --password",
  "account add ana@x --admin=yes",
  "post",
  "post ana@x one two",
  "post edit ana@x",
  "post delete ana@x",
  "constructor",
]) {
  test(`"${line}" is wrong usage`, () => assert.throws(() => parse(line), UsageError));
}

for (const line of ["help", "--help", "-h", "account --help", "help account"]) {
  test(`"${line}" shows help`, () => assert.equal(parse(line).show, "help"));
}

test("help names every verb with its arguments", () => {
  for (const [name, { args, about }] of Object.entries(verbs)) {
    const line = help()
      .split("\n")
      .find((one) => one.startsWith(["  pipit", name, ...args.map((arg) => `<${arg}>`)].join(" ")));
    assert(line?.endsWith(about), name);
  }
});
