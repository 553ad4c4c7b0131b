/** XEP-0004 and XEP-0068: data forms. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  fieldBoolean,
  fieldJids,
  fieldText,
  fieldValue,
  formElement,
  formOf,
  parseForm,
  type DataForm,
} from "../../src/xmpp/dataform.ts";
import { StanzaError } from "../../src/xmpp/errors.ts";
import { NS } from "../../src/xmpp/ns.ts";
import { parseElement } from "../../src/xmpp/parser.ts";
import { serialize } from "../../src/xmpp/xml.ts";

const parse = (inner: string, type = "submit"): DataForm =>
  parseForm(parseElement(`<x xmlns='${NS.dataForm}' type='${type}'>${inner}</x>`));
const withValues = (...values: string[]): DataForm =>
  parse(`<field var='f'>${values.map((value) => `<value>${value}</value>`).join("")}</field>`);
const condition =
  (expected: string) =>
  (thrown: unknown): boolean =>
    thrown instanceof StanzaError && thrown.condition === expected;

const botForm = `<x xmlns="jabber:x:data" type="form"><title>Bot</title><instructions>Fill in</instructions><instructions>this form</instructions><field var="FORM_TYPE" type="hidden"><value>jabber:bot</value></field><field var="public" type="boolean" label="Public?"><required/></field><field var="features" type="list-multi"><value>news</value><value>search</value><option label="News"><value>news</value></option><option><value>search</value></option></field></x>`;

test("a form is read, and written as it was", () => {
  const form = parseForm(parseElement(botForm));
  assert.deepEqual(form, {
    type: "form",
    title: "Bot",
    instructions: "Fill in\nthis form",
    formType: "jabber:bot",
    fields: new Map([
      ["public", { name: "public", type: "boolean", label: "Public?", values: [], required: true }],
      [
        "features",
        {
          name: "features",
          type: "list-multi",
          values: ["news", "search"],
          options: [{ label: "News", value: "news" }, { value: "search" }],
        },
      ],
    ]),
  });
  assert.equal(serialize(formElement(form)), botForm);
});

test("words between the fields are no fields", () => {
  const form = parse("<field type='fixed'><value>Section 1</value></field><field var='a'/>", "form");
  assert.deepEqual([...form.fields.keys()], ["a"]);
});

test("FORM_TYPE must be hidden, except where it is submitted (XEP-0068)", () => {
  const field = "<field var='FORM_TYPE'><value>t</value></field>";
  assert.equal(parse(field, "submit").formType, "t");
  assert.equal(parse(field, "form").formType, undefined);
  assert.equal(parse(field, "form").fields.has("FORM_TYPE"), true);
  assert.equal(parse("", "submit").formType, undefined);
});

test("a form without a known type, or with a field twice, is refused", () => {
  for (const type of ["", "foo", "__proto__"]) assert.throws(() => parse("", type), condition("bad-request"));
  assert.throws(() => parse("<field var='a'/><field var='a'/>"), condition("bad-request"));
  assert.equal(parse("<field var='__proto__'><value>1</value></field>").fields.size, 1);
});

test("cancel says nothing more", () => {
  const cancel = `<x xmlns="jabber:x:data" type="cancel"/>`;
  assert.equal(serialize(formElement(parseForm(parseElement(cancel)))), cancel);
});

test("a form is found by its type", () => {
  const parent = parseElement(`<a><x xmlns='jabber:x:data' type='submit'/>${botForm}<x/></a>`);
  assert.equal(formOf(parent)?.type, "submit");
  assert.equal(formOf(parent, "jabber:bot")?.type, "form");
  assert.equal(formOf(parent, "other"), undefined);
});

describe("values", () => {
  test("one, or none", () => {
    assert.equal(fieldValue(withValues("a", "b"), "f"), "a");
    assert.equal(fieldValue(withValues(), "f"), "");
    assert.equal(fieldValue(withValues(), "g"), undefined);
  });

  test("boolean: 1, true, 0, false; empty is false", () => {
    for (const [value, expected] of [
      ["1", true],
      ["true", true],
      ["0", false],
      ["false", false],
      [" 1\n", true],
      ["", false],
    ] as const) {
      assert.equal(fieldBoolean(withValues(value), "f"), expected);
    }
    assert.equal(fieldBoolean(withValues(), "f"), false);
    assert.equal(fieldBoolean(withValues(), "g"), undefined);
    for (const value of ["yes", "TRUE", "2"]) {
      assert.throws(() => fieldBoolean(withValues(value), "f"), condition("not-acceptable"));
    }
  });

  test("text-multi: a value for each line", () => {
    assert.equal(fieldText(withValues("a", "", "b"), "f"), "a\n\nb");
    assert.equal(fieldText(withValues(), "g"), undefined);
    const form: DataForm = {
      type: "result",
      formType: undefined,
      fields: new Map([
        ["m", { name: "m", type: "text-multi", values: ["a\nb\r\nc", "d"] }],
        ["s", { name: "s", values: ["a\nb"] }],
      ]),
    };
    const read = parseForm(parseElement(serialize(formElement(form))));
    assert.deepEqual(read.fields.get("m")?.values, ["a", "b", "c", "d"]);
    assert.deepEqual(read.fields.get("s")?.values, ["a\nb"]);
  });

  test("jid-multi: prepared, each once", () => {
    const jids = fieldJids(withValues("A@b", "a@B", "", "b/r"), "f");
    assert.deepEqual(jids?.map(String), ["a@b", "b/r"]);
    assert.throws(() => fieldJids(withValues("a@b@c"), "f"), condition("not-acceptable"));
    assert.equal(fieldJids(withValues(), "g"), undefined);
  });
});
