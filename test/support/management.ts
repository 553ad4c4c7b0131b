/** The client's side of XEP-0198, as far as plays speak it by hand. */
import assert from "node:assert";
import { NS } from "../../src/xmpp/ns.ts";
import { attr, type Element } from "../../src/xmpp/xml.ts";
import type { ClientStream } from "./stream.ts";

const sm = `xmlns='${NS.streamManagement}'`;

/** Enables it; the answer. */
export async function enables(stream: ClientStream, attrs = ""): Promise<Element> {
  stream.raw(`<enable ${sm} ${attrs}/>`);
  return stream.receives(`<enabled ${sm}/>`);
}

/** Enables it so that the session can be resumed; its SM-ID. */
export async function enablesResumption(stream: ClientStream): Promise<string> {
  const id = attr(await enables(stream, "resume='true'"), "id");
  assert(id, "a session that can be resumed has an id");
  return id;
}

/** Asks how many stanzas the server has handled. */
export async function asksHandled(stream: ClientStream): Promise<number> {
  stream.raw(`<r ${sm}/>`);
  return Number(attr(await stream.receives(`<a ${sm} h='{any}'/>`), "h"));
}

export function acknowledges(stream: ClientStream, h: number | string): void {
  stream.raw(`<a ${sm} h='${h}'/>`);
}

/** Asks for an earlier session on a stream that is authenticated. */
export function asksToResume(stream: ClientStream, previd: string, h: number | string): void {
  stream.raw(`<resume ${sm} previd='${previd}' h='${h}'/>`);
}

/** The same, and it is resumed; how many stanzas the server had handled. */
export async function resumes(stream: ClientStream, previd: string, h: number): Promise<number> {
  asksToResume(stream, previd, h);
  const resumed = await stream.receivesNext(`<resumed ${sm} previd='${previd}' h='{any}'/>`);
  return Number(attr(resumed, "h"));
}

/** It is refused; the `h` of the answer, if there is one. */
export async function failsToResume(stream: ClientStream, condition: string): Promise<string | undefined> {
  const failed = await stream.receives(`<failed ${sm}><${condition} xmlns='${NS.stanzas}'/></failed>`);
  return attr(failed, "h");
}
