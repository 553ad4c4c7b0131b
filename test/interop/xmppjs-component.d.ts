/** What the echo component uses of @xmpp/component, which comes without types. */
declare module "@xmpp/component" {
  import type { EventEmitter } from "node:events";
  import type { Element } from "@xmpp/xml";

  export interface Component extends EventEmitter {
    start(): Promise<{ toString(): string }>;
    stop(): Promise<void>;
    send(stanza: Element): Promise<void>;
    readonly iqCallee: {
      get(xmlns: string, name: string, handle: (context: { element: Element }) => Element): void;
    };
    readonly iqCaller: { get(child: Element, to: string): Promise<Element> };
  }

  export function component(options: {
    readonly service: string;
    readonly domain: string;
    readonly password: string;
  }): Component;
  export function xml(name: string, attrs: object, ...children: (Element | string)[]): Element;
}
