/** XEP-0060 §16.4.2: what a subscriber may choose for its subscription. */
import type { DataForm, Field } from "../xmpp/dataform.ts";
import { NS } from "../xmpp/ns.ts";
import { refusal } from "./errors.ts";

export interface SubscriptionOptions {
  /** Whether to send notifications at all. */
  readonly deliver: boolean;
  /** Whether notifications carry a `<body/>`, for clients that show nothing else. */
  readonly includeBody: boolean;
  /** §12.4: whether the subscription ends when the subscriber goes offline. */
  readonly temporary: boolean;
}

export const defaultOptions: SubscriptionOptions = { deliver: true, includeBody: false, temporary: false };

/** As the store keeps them: what differs from the defaults. */
export type StoredOptions = Record<string, string | string[]>;

export function optionsFrom(stored: Readonly<StoredOptions>): SubscriptionOptions {
  return {
    deliver: stored["deliver"] !== "false",
    includeBody: stored["include_body"] === "true",
    temporary: stored["expire"] === "presence",
  };
}

export function storedOptions({ deliver, includeBody, temporary }: SubscriptionOptions): StoredOptions {
  return {
    ...(deliver ? {} : { deliver: "false" }),
    ...(includeBody ? { include_body: "true" } : {}),
    ...(temporary ? { expire: "presence" } : {}),
  };
}

/** The options with what a submitted form says; `invalid-options` for a value that cannot be honoured (§6.3.7). */
export function withOptions(options: SubscriptionOptions, form: DataForm): SubscriptionOptions {
  const value = (name: string): string | undefined => form.fields.get(`pubsub#${name}`)?.values[0];
  const expire = value("expire");
  if (expire !== undefined && expire !== "" && expire !== "presence") {
    throw refusal("invalid-options", "A subscription ends with the subscriber's presence, or not by itself");
  }
  return {
    deliver: flag(value("deliver"), options.deliver),
    includeBody: flag(value("include_body"), options.includeBody),
    temporary: expire === undefined ? options.temporary : expire === "presence",
  };
}

function flag(value: string | undefined, otherwise: boolean): boolean {
  if (value === undefined) return otherwise;
  if (value === "1" || value === "true") return true;
  if (value === "0" || value === "false") return false;
  throw refusal("invalid-options", `${value} is neither true nor false`);
}

export function optionsForm(options: SubscriptionOptions, type: "form" | "result"): DataForm {
  const fields: Field[] = [
    {
      name: "pubsub#deliver",
      type: "boolean",
      label: "Whether to send notifications",
      values: [String(options.deliver)],
    },
    {
      name: "pubsub#include_body",
      type: "boolean",
      label: "Whether notifications carry a message body",
      values: [String(options.includeBody)],
    },
    {
      name: "pubsub#expire",
      type: "text-single",
      label: "When the subscription ends: with your `presence`, or not by itself",
      values: options.temporary ? ["presence"] : [],
    },
  ];
  return {
    type,
    formType: NS.pubsubSubscribeOptions,
    fields: new Map(fields.map((field) => [field.name, field])),
  };
}
