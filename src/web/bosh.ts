/** XEP-0124 on the HTTP port. Any page may speak it: who it is for is proven inside, by SASL, and never by a cookie. */
import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { Client } from "./client-address.ts";
import type { IncomingMessage } from "node:http";

/** What answers a request's body: the server's part. */
export type AnswerBosh = (body: string, client: Client) => Promise<string>;

export interface BoshRoute {
  readonly answer: AnswerBosh;
  /** Of a request, in bytes. */
  readonly maxBody: number;
  readonly requireTls: boolean;
  client(request: IncomingMessage): Client | undefined;
}

const anyPage = { "Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin" };
/** How long a browser may remember that it may, in seconds. */
const preflightAge = "86400";

/** The handlers of POST and of OPTIONS. */
export function boshRoute({ answer, maxBody, requireTls, client }: BoshRoute) {
  const limit = bodyLimit({ maxSize: maxBody, onError: (c) => c.text("This is too much at once.\n", 413) });
  return {
    limit,
    async post(c: Context<{ Bindings: HttpBindings }>): Promise<Response> {
      const from = client(c.env.incoming);
      if (!from || (requireTls && !from.isEncrypted))
        return c.text("XMPP is spoken here over https only.\n", 403);
      const body = await answer(await c.req.text(), from);
      return c.body(body, 200, {
        ...anyPage,
        "Content-Type": "text/xml; charset=utf-8",
        "Cache-Control": "no-store",
      });
    },
    preflight: (c: Context): Response =>
      c.body(null, 204, {
        ...anyPage,
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "Content-Type",
        "Access-Control-Max-Age": preflightAge,
      }),
  };
}
