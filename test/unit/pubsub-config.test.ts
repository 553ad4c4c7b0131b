/** XEP-0060 §16.4.4: the configuration of a node, what of it is stored, and how options are compared. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  accountDefaults,
  configForm,
  configFrom,
  payloadMaximum,
  serviceDefaults,
  storedConfig,
  unmet,
  withForm,
} from "../../src/pubsub/config.ts";
import { formElement, parseForm } from "../../src/xmpp/dataform.ts";
import { nodeConfig, publishOptions, refusalOf } from "../support/pubsub.ts";

/** Every field that XEP-0060 §16.4.4 registers, each with a value that is not the default. */
const everyField: Record<string, string | string[]> = {
  access_model: "whitelist",
  body_xslt: "http://a.example/body.xslt",
  contact: ["bard@shakespeare.example", "hamlet@denmark.example"],
  dataform_xslt: "http://a.example/form.xslt",
  deliver_notifications: "false",
  deliver_payloads: "false",
  description: "Updates for Hamlet's Princely Musings",
  item_expire: "604800",
  itemreply: "owner",
  language: "da",
  max_items: "10",
  max_payload_size: "9216",
  notification_type: "normal",
  notify_config: "true",
  notify_delete: "false",
  notify_retract: "false",
  notify_sub: "true",
  persist_items: "false",
  presence_based_delivery: "true",
  publish_model: "open",
  publish_node_full: "reject",
  purge_offline: "true",
  roster_groups_allowed: ["Friends", "Servants"],
  send_last_published_item: "never",
  tempsub: "true",
  subscribe: "false",
  title: "Princely Musings",
  type: "http://www.w3.org/2005/Atom",
};

test("every registered field is stored and given back", () => {
  const config = withForm(accountDefaults, nodeConfig(everyField));
  const restored = configFrom(storedConfig(config, accountDefaults), accountDefaults);
  assert.deepEqual(restored, config);
  const shown = parseForm(formElement(configForm(restored, "form")));
  for (const [name, values] of Object.entries(everyField)) {
    assert.deepEqual(shown.fields.get(`pubsub#${name}`)?.values, [values].flat(), name);
  }
  assert.deepEqual(shown.fields.get("pubsub#node_type")?.values, ["leaf"]);
  assert.equal(shown.fields.size, Object.keys(everyField).length + 1);
});

test("what is stored is what differs from the defaults", () => {
  assert.deepEqual(storedConfig(accountDefaults, accountDefaults), {});
  const config = withForm(accountDefaults, nodeConfig({ access_model: "open", max_items: "1" }));
  assert.deepEqual(storedConfig(config, accountDefaults), { access_model: "open" });
});

test("a default that was taken away stays away", () => {
  const defaults = { ...accountDefaults, type: "urn:example:note", contact: ["bard@shakespeare.example"] };
  const config = withForm(defaults, nodeConfig({ type: "", contact: [] }));
  const restored = configFrom(storedConfig(config, defaults), defaults);
  assert.equal(restored.type, undefined);
  assert.deepEqual(restored.contact, []);
});

test("a form changes what it says, and nothing else", () => {
  const config = withForm(accountDefaults, nodeConfig({ title: "Tunes" }));
  assert.deepEqual(config, { ...accountDefaults, title: "Tunes" });
});

test("fields that nobody knows change nothing", () => {
  assert.deepEqual(withForm(accountDefaults, nodeConfig({ "example-option": "7" })), accountDefaults);
});

test("the defaults of accounts are those of XEP-0163", () => {
  assert.equal(accountDefaults.accessModel, "presence");
  assert.equal(accountDefaults.sendLastPublishedItem, "on_sub_and_presence");
  assert.equal(serviceDefaults.accessModel, "open");
});

describe("a value that the field cannot have is refused", () => {
  const bad: [string, string, string][] = [
    ["access_model", "everybody", "modify not-acceptable unsupported-access-model"],
    ["publish_model", "nobody", "modify not-acceptable"],
    ["max_items", "0", "modify not-acceptable"],
    ["max_items", "many", "modify not-acceptable"],
    ["max_items", "1.5", "modify not-acceptable"],
    ["item_expire", "soon", "modify not-acceptable"],
    ["max_payload_size", "-5", "modify not-acceptable"],
    ["persist_items", "yes", "modify not-acceptable"],
    ["node_type", "collection", "modify not-acceptable"],
    ["contact", "not a @ jid", "modify not-acceptable"],
    ["title", "a".repeat(5_000), "modify not-acceptable"],
  ];
  for (const [name, value, refusal] of bad) {
    test(`${name}=${value.slice(0, 12)}`, async () => {
      const work = async () => withForm(accountDefaults, nodeConfig({ [name]: value }));
      assert.equal(await refusalOf(work), refusal);
    });
  }
});

describe("options are compared by what they mean", () => {
  const config = withForm(
    accountDefaults,
    nodeConfig({ max_items: "max", persist_items: "1", roster_groups_allowed: ["a", "b"], title: "T" }),
  );
  const meets: [string, string | string[]][] = [
    ["max_items", "max"],
    ["max_items", "-1"],
    ["max_items", "1000000"],
    ["max_items", "18446744073709551615"],
    ["persist_items", "true"],
    ["persist_items", "1"],
    ["notify_config", "0"],
    ["notify_config", "false"],
    ["access_model", "presence"],
    ["roster_groups_allowed", ["b", "a"]],
    ["item_expire", "max"],
    ["max_payload_size", String(payloadMaximum + 1)],
    ["description", ""],
    ["no_such_option", "7"],
  ];
  for (const [name, value] of meets) {
    test(`${name}=${String(value)} is met`, () =>
      assert.deepEqual(unmet(config, publishOptions({ [name]: value })), []));
  }
  const differs: [string, string | string[]][] = [
    ["max_items", "999999"],
    ["persist_items", "0"],
    ["access_model", "open"],
    ["access_model", "no-such-model"],
    ["roster_groups_allowed", ["a"]],
    ["title", "t"],
    ["description", "D"],
  ];
  for (const [name, value] of differs) {
    test(`${name}=${String(value)} differs`, () =>
      assert.deepEqual(unmet(config, publishOptions({ [name]: value })), [`pubsub#${name}`]));
  }
});
