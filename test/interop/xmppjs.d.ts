/** What the actor uses of @xmpp/client, which comes without types. */
declare module "@xmpp/client" {
  import type { EventEmitter } from "node:events";
  import type { Element } from "@xmpp/xml";

  export interface Client extends EventEmitter {
    start(): Promise<{ toString(): string }>;
    stop(): Promise<void>;
    send(stanza: Element): Promise<void>;
    readonly iqCaller: {
      request(iq: Element): Promise<Element>;
      get(child: Element, to?: string): Promise<Element>;
      set(child: Element, to?: string): Promise<Element>;
    };
    readonly iqCallee: {
      set(xmlns: string, name: string, handle: (context: { element: Element }) => true): void;
    };
    readonly reconnect: { delay: number; stop(): void };
    readonly streamManagement: EventEmitter;
  }

  export function client(options: {
    readonly service: string;
    readonly domain: string;
    readonly username: string;
    readonly password: string;
    readonly resource: string;
  }): Client;
}
