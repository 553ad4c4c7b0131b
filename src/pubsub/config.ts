/** XEP-0060 §16.4.4: the configuration of a node, its defaults, and the data form that carries it. */
import { StanzaError } from "../xmpp/errors.ts";
import type { DataForm, Field } from "../xmpp/dataform.ts";
import { NS } from "../xmpp/ns.ts";
import { parseJid } from "../xmpp/jid.ts";
import { legalText } from "../xmpp/xml.ts";
import { refusal } from "./errors.ts";

export type AccessModel = "open" | "presence" | "roster" | "authorize" | "whitelist";
export type PublishModel = "publishers" | "subscribers" | "open";

export interface NodeConfig {
  readonly title: string | undefined;
  readonly description: string | undefined;
  /** What the node holds, usually the namespace of its payloads. */
  readonly type: string | undefined;
  readonly language: string | undefined;
  readonly contact: readonly string[];
  readonly accessModel: AccessModel;
  readonly rosterGroupsAllowed: readonly string[];
  readonly publishModel: PublishModel;
  readonly persistItems: boolean;
  /** `max`: as many as there are. */
  readonly maxItems: number | "max";
  readonly publishNodeFull: "retract-oldest" | "discard-oldest" | "reject";
  /** Seconds that an item lives; `max`: for ever. */
  readonly itemExpire: number | "max";
  /** Bytes of a payload as XML text. */
  readonly maxPayloadSize: number;
  readonly deliverNotifications: boolean;
  readonly deliverPayloads: boolean;
  readonly notificationType: "headline" | "normal";
  readonly presenceBasedDelivery: boolean;
  readonly sendLastPublishedItem: "never" | "on_sub" | "on_sub_and_presence";
  readonly notifyRetract: boolean;
  readonly notifyDelete: boolean;
  readonly notifyConfig: boolean;
  readonly notifySub: boolean;
  readonly subscribe: boolean;
  readonly tempsub: boolean;
  readonly purgeOffline: boolean;
  readonly itemreply: "owner" | "publisher";
  readonly bodyXslt: string | undefined;
  readonly dataformXslt: string | undefined;
  readonly nodeType: "leaf";
}

/** A payload and the iq around it fit into one stanza of a client (`limitsAfterAuthentication`). */
export const payloadMaximum = 245_760;
/** From here on a number of items means `max`: clients that do not know the word write a number as large. */
const countAsMax = 1_000_000;
/** A title or a description in bytes; more is a payload, not a configuration. */
const textMaximum = 4_096;
/** Groups and contacts in a list. */
const listMaximum = 100;

/** XEP-0163 §3 and §4.3.4: what a node of an account is where nothing else is asked for. */
export const accountDefaults: NodeConfig = {
  title: undefined,
  description: undefined,
  type: undefined,
  language: undefined,
  contact: [],
  accessModel: "presence",
  rosterGroupsAllowed: [],
  publishModel: "publishers",
  persistItems: true,
  maxItems: 1,
  publishNodeFull: "retract-oldest",
  itemExpire: "max",
  maxPayloadSize: payloadMaximum,
  deliverNotifications: true,
  deliverPayloads: true,
  notificationType: "headline",
  presenceBasedDelivery: false,
  sendLastPublishedItem: "on_sub_and_presence",
  notifyRetract: true,
  notifyDelete: true,
  notifyConfig: false,
  notifySub: false,
  subscribe: true,
  tempsub: false,
  purgeOffline: false,
  itemreply: "publisher",
  bodyXslt: undefined,
  dataformXslt: undefined,
  nodeType: "leaf",
};

/** §4.5 and §5.3: a node of a service of its own is open, and keeps a history. */
export const serviceDefaults: NodeConfig = {
  ...accountDefaults,
  accessModel: "open",
  maxItems: "max",
  sendLastPublishedItem: "on_sub",
};

/** XEP-0222: publish-options for what everybody may read. */
export const openAccess: DataForm = {
  type: "submit",
  formType: NS.pubsubPublishOptions,
  fields: new Map([["pubsub#access_model", { name: "pubsub#access_model", values: ["open"] }]]),
};

/** How one field is read from a form and written into one. */
interface Kind<Value> {
  readonly name: string;
  readonly label: string;
  readonly type: string;
  readonly options?: readonly string[];
  /** The value in a tuple of its own; `undefined` where the text is no value of this field. */
  read(values: readonly string[]): readonly [Value] | undefined;
  write(value: Value): string[];
}

function bool(name: string, label: string): Kind<boolean> {
  return {
    name,
    label,
    type: "boolean",
    read([value = ""]) {
      if (value === "1" || value === "true") return [true];
      return value === "0" || value === "false" || value === "" ? [false] : undefined;
    },
    write: (value) => [value ? "true" : "false"],
  };
}

function oneOf<Value extends string>(name: string, label: string, options: readonly Value[]): Kind<Value> {
  return {
    name,
    label,
    type: "list-single",
    options,
    read: ([value]) => (options.includes(value as Value) ? [value as Value] : undefined),
    write: (value) => [value],
  };
}

function line(name: string, label: string): Kind<string | undefined> {
  return {
    name,
    label,
    type: "text-single",
    read([value = ""]) {
      return Buffer.byteLength(value) <= textMaximum ? [legalText(value) || undefined] : undefined;
    },
    write: (value) => (value === undefined ? [] : [value]),
  };
}

function list(
  name: string,
  label: string,
  type: string,
  accept: (value: string) => boolean,
): Kind<readonly string[]> {
  return {
    name,
    label,
    type,
    read(values) {
      const all = [...new Set(values.map(legalText).filter(Boolean))].sort();
      return all.length <= listMaximum && all.every(accept) ? [all] : undefined;
    },
    write: (value) => [...value],
  };
}

const wholeNumber = /^\d{1,15}$/;

/** A number or `max`; `-1`, nothing, and numbers past `ceiling` say `max` as well. */
function limit(name: string, label: string, ceiling: number): Kind<number | "max"> {
  return {
    name,
    label,
    type: "text-single",
    read([value = ""]) {
      if (value === "max" || value === "-1" || value === "") return ["max"];
      if (!/^\d+$/.test(value) || Number(value) === 0) return undefined;
      return [Number(value) >= ceiling ? "max" : Number(value)];
    },
    write: (value) => [String(value)],
  };
}

const bytes: Kind<number> = {
  name: "max_payload_size",
  label: "The maximum payload size in bytes",
  type: "text-single",
  read: ([value = ""]) =>
    wholeNumber.test(value) && Number(value) > 0 ? [Math.min(Number(value), payloadMaximum)] : undefined,
  write: (value) => [String(value)],
};

const short = (value: string): boolean => Buffer.byteLength(value) <= textMaximum;

const kinds: { readonly [Key in keyof NodeConfig]: Kind<NodeConfig[Key]> } = {
  title: line("title", "A friendly name for the node"),
  description: line("description", "A description of the node"),
  type: line("type", "The type of node data, usually the namespace of its payloads"),
  language: line("language", "The default language of the node"),
  contact: list(
    "contact",
    "Whom to contact with questions",
    "jid-multi",
    (jid) => parseJid(jid) !== undefined,
  ),
  accessModel: oneOf("access_model", "Who may subscribe and retrieve items", [
    "open",
    "presence",
    "roster",
    "authorize",
    "whitelist",
  ]),
  rosterGroupsAllowed: list(
    "roster_groups_allowed",
    "The roster groups that may subscribe and retrieve items",
    "list-multi",
    short,
  ),
  publishModel: oneOf("publish_model", "Who may publish", ["publishers", "subscribers", "open"]),
  persistItems: bool("persist_items", "Whether to keep items"),
  maxItems: limit("max_items", "How many items to keep (max: all)", countAsMax),
  publishNodeFull: oneOf("publish_node_full", "What to do when the node is full", [
    "retract-oldest",
    "discard-oldest",
    "reject",
  ]),
  itemExpire: limit("item_expire", "Seconds after which items vanish (max: never)", 1e10),
  maxPayloadSize: bytes,
  deliverNotifications: bool("deliver_notifications", "Whether to send event notifications"),
  deliverPayloads: bool("deliver_payloads", "Whether notifications carry payloads"),
  notificationType: oneOf("notification_type", "The type of notification messages", ["headline", "normal"]),
  presenceBasedDelivery: bool("presence_based_delivery", "Whether to notify available users only"),
  sendLastPublishedItem: oneOf("send_last_published_item", "When to send the last published item", [
    "never",
    "on_sub",
    "on_sub_and_presence",
  ]),
  notifyRetract: bool("notify_retract", "Whether to notify when items are removed"),
  notifyDelete: bool("notify_delete", "Whether to notify when the node is deleted"),
  notifyConfig: bool("notify_config", "Whether to notify when the configuration changes"),
  notifySub: bool("notify_sub", "Whether to tell owners of subscribers that come and go"),
  subscribe: bool("subscribe", "Whether to allow subscriptions"),
  tempsub: bool("tempsub", "Whether subscriptions end with the subscriber's presence"),
  purgeOffline: bool("purge_offline", "Whether to purge items when their publisher goes offline"),
  itemreply: oneOf("itemreply", "Who receives replies to items", ["publisher", "owner"]),
  bodyXslt: line("body_xslt", "An XSL transformation of payloads into message bodies"),
  dataformXslt: line("dataform_xslt", "An XSL transformation of payloads into data forms"),
  nodeType: oneOf("node_type", "The type of the node", ["leaf"]),
};

const prefix = "pubsub#";
const keys = Object.keys(kinds) as (keyof NodeConfig)[];
const keyOf = new Map(keys.map((key) => [prefix + kinds[key].name, key]));

/** As the store keeps it: what differs from the defaults, by the field's name without its prefix. */
export type StoredConfig = Record<string, string | string[]>;

/** Reads a field into `to`; `false` where the values are none of that field. */
function take(to: Record<string, unknown>, key: keyof NodeConfig, values: readonly string[]): boolean {
  const read = kinds[key].read(values);
  if (read) to[key] = read[0];
  return read !== undefined;
}

/** The canonical text of a field, for comparison. */
const written = (config: NodeConfig, key: keyof NodeConfig): string[] =>
  (kinds[key] as Kind<unknown>).write(config[key]);

const same = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((value, index) => value === b[index]);

export function configFrom(stored: StoredConfig, defaults: NodeConfig): NodeConfig {
  const config: Record<string, unknown> = { ...defaults };
  for (const name in stored) {
    const key = keyOf.get(prefix + name);
    if (key) take(config, key, [stored[name]!].flat());
  }
  return config as unknown as NodeConfig;
}

export function storedConfig(config: NodeConfig, defaults: NodeConfig): StoredConfig {
  const stored: StoredConfig = {};
  for (const key of keys) {
    const values = written(config, key);
    if (same(values, written(defaults, key))) continue;
    stored[kinds[key].name] = values.length === 1 ? values[0]! : values;
  }
  return stored;
}

/** The configuration with what a submitted form says; fields that it does not know change nothing (XEP-0004 §3.2). */
export function withForm(config: NodeConfig, form: DataForm): NodeConfig {
  const changed: Record<string, unknown> = { ...config };
  for (const { name, values } of form.fields.values()) {
    const key = keyOf.get(name);
    if (!key || take(changed, key, values)) continue;
    if (key === "accessModel") throw refusal("unsupported-access-model");
    throw new StanzaError("not-acceptable", { text: `${name} cannot be ${values.join(", ") || "empty"}` });
  }
  return changed as unknown as NodeConfig;
}

/** §7.1.5: the publish-options that the configuration does not meet. Unknown options are none. */
export function unmet(config: NodeConfig, options: DataForm): string[] {
  return [...options.fields.values()]
    .filter(({ name, values }) => {
      const key = keyOf.get(name);
      if (!key) return false;
      const wanted: Record<string, unknown> = {};
      if (!take(wanted, key, values)) return true;
      return !same(written(wanted as unknown as NodeConfig, key), written(config, key));
    })
    .map(({ name }) => name);
}

/** The whole configuration as a form to fill in (`form`) or to read (`result`). */
export function configForm(config: NodeConfig, type: "form" | "result"): DataForm {
  const fields = new Map<string, Field>();
  for (const key of keys) {
    const { name, label, type: fieldType, options } = kinds[key];
    const values = written(config, key);
    if (type === "result") {
      if (values.length > 0) fields.set(prefix + name, { name: prefix + name, values });
      continue;
    }
    fields.set(prefix + name, {
      name: prefix + name,
      type: fieldType,
      label,
      values,
      ...(options ? { options: options.map((value) => ({ value })) } : {}),
    });
  }
  return { type, formType: NS.pubsubNodeConfig, fields };
}
