/** A client's side of XEP-0363: it asks for slots, and puts and fetches files as plain HTTP. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { request, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { attr, child } from "../../src/xmpp/xml.ts";
import type { Actor, Stage } from "./cast.ts";

const xmlns = "urn:xmpp:http:upload:0";
const purposes = "urn:xmpp:http:upload:purpose:0";

export interface Wish {
  readonly name?: string;
  readonly size?: number | string;
  readonly type?: string | undefined;
  /** A purpose's name, with attributes of it if need be: `ephemeral expire-before='…'`. */
  readonly purpose?: string;
}

/** The iq that asks for a slot. */
export function slotRequest(domain: string, { name = "a.txt", size = 5, type, purpose }: Wish = {}): string {
  const inside = purpose === undefined ? "" : `<${purpose} xmlns='${purposes}'/>`;
  const typed = type === undefined ? "" : ` content-type='${type}'`;
  return `<iq type='get' to='upload.${domain}'><request xmlns='${xmlns}' filename='${name}' size='${size}'${typed}>${inside}</request></iq>`;
}

/** Asks for a slot; its link, which is the same for both ways, as a path. */
export async function slot(actor: Actor, stage: Stage, wish: Wish = {}): Promise<string> {
  const reply = await actor.asks(
    slotRequest(stage.domain, wish),
    `<iq type='result' from='upload.${stage.domain}'><slot xmlns='${xmlns}'><put/><get/></slot></iq>`,
  );
  const urlOf = (name: "put" | "get") => attr(child(child(reply, "slot", xmlns)!, name)!, "url") ?? "";
  const url = urlOf("get");
  assert.equal(urlOf("put"), url);
  assert(url.startsWith(`${stage.config.url}/`), url);
  return url.slice(stage.config.url.length);
}

/** A safety net only, for a machine that is busy with other things. In milliseconds. */
const patience = 20_000;

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** One request on a connection of its own; the path goes out as it is written. */
export function ask(
  stage: Stage,
  method: string,
  path: string,
  headers: OutgoingHttpHeaders = {},
  body?: Uint8Array | string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(stage.web);
    const where = { hostname, port, method, path, agent: false, timeout: patience };
    const sent = request({ ...where, headers }, (answer) => {
      buffer(answer).then((read) => {
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: read });
      }, reject);
    });
    sent.once("error", reject);
    sent.once("timeout", () => sent.destroy(new Error(`${method} ${path}: no answer`)));
    sent.end(body);
  });
}

/** A connection to the web on which nothing has been said yet. */
export async function dial(stage: Stage): Promise<Socket> {
  const { hostname, port } = new URL(stage.web);
  const socket = connect(Number(port), hostname);
  socket.setTimeout(patience, () => socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** Puts a file into a slot, with what clients say of it. */
export const put = (
  stage: Stage,
  path: string,
  body: Uint8Array | string,
  headers: OutgoingHttpHeaders = {},
): Promise<Answer> =>
  ask(stage, "PUT", path, { "Content-Length": Buffer.byteLength(body), ...headers }, body);

/** Asks for a slot and puts a file there; its path. */
export async function upload(
  actor: Actor,
  stage: Stage,
  body: Uint8Array | string,
  wish: Wish = {},
): Promise<string> {
  const path = await slot(actor, stage, { size: Buffer.byteLength(body), ...wish });
  const answer = await put(stage, path, body, wish.type === undefined ? {} : { "Content-Type": wish.type });
  assert.equal(answer.status, 201, answer.body.toString());
  return path;
}

/** The names of all that is kept on disk of uploads. */
export async function onDisk(stage: Stage): Promise<string[]> {
  const folder = join(stage.config.data, "uploads");
  return (await readdir(folder).catch(() => [])).sort();
}
