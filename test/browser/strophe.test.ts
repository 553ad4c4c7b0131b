/** strophe.js in Chromium, on a page of another origin, over BOSH and WebSocket: two people and their devices. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContext } from "playwright-core";
import type { NodeProcess } from "../support/node.ts";
import { ClientActor, type ClientProgram } from "../interop/client-actor.ts";
import { story, type Cast, type Entrance } from "../interop/client-story.ts";
import { password } from "../interop/house.ts";
import { Output } from "../interop/software.ts";
import { missingChromium, startChromium } from "./chromium.ts";

const strophe = fileURLToPath(new URL("strophe.esm.js", import.meta.resolve("strophe.js")));
const files: Readonly<Record<string, string>> = {
  "/strophe.js": strophe,
  "/page.js": fileURLToPath(new URL("strophe-page.js", import.meta.url)),
};
const importMap = JSON.stringify({ imports: { "strophe.js": "/strophe.js" } });

let browser: Browser;
/** Where the page comes from: not from the node. */
let site: Server;

before(async () => {
  if (missingChromium) return;
  browser = await startChromium();
  site = createServer((request, response) => {
    const file = files[request.url ?? ""];
    response.setHeader("content-type", file ? "text/javascript" : "text/html");
    if (!file) return response.end("<!doctype html><title>Chat</title>");
    void readFile(file).then((text) => response.end(text));
  }).listen(0, "localhost");
  await once(site, "listening");
});

after(async () => {
  await browser?.close();
  site?.close();
});

/** A page as a program that is written to and prints. */
class PageProgram implements ClientProgram {
  readonly #output = new Output("the page");
  readonly #ready: Promise<BrowserContext>;

  constructor(login: object) {
    this.#ready = this.#open(login);
    this.#ready.catch((error: Error) => this.#output.ends(error.message));
  }

  async #open(login: object): Promise<BrowserContext> {
    const context = await browser.newContext();
    const page = await context.newPage();
    page.on("pageerror", (error) => this.#output.ends(String(error)));
    await page.exposeFunction("tellLine", (line: string) => this.#output.prints(line));
    await page.goto(`http://localhost:${(site.address() as AddressInfo).port}/`);
    await page.setContent(`<!doctype html><title>Chat</title><script type="importmap">${importMap}</script>
      <script>const login = ${JSON.stringify(login)};</script><script type="module" src="/page.js"></script>`);
    await page.waitForFunction("globalThis.obeyLine");
    return context;
  }

  writes(line: string): void {
    void this.#ready.then((context) => context.pages()[0]!.evaluate(`obeyLine(${JSON.stringify(line)})`));
  }

  until<Found>(what: string, find: (text: string) => Found | undefined): Promise<Found> {
    return this.#output.until(what, find);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#ready).close();
  }
}

const cast = (path: string): Cast => ({
  skip: missingChromium,
  port: (node) => node.ports.http,
  enters: (node: NodeProcess, { name, resource, port = node.ports.http, quiet = false }: Entrance) => {
    const service = `${path.startsWith("/http") ? "http" : "ws"}://127.0.0.1:${port}${path}`;
    const jid = `${name}@${node.domain}`;
    return new ClientActor(jid, new PageProgram({ service, jid: `${jid}/${resource}`, password, quiet }));
  },
});

story("strophe.js over BOSH", { ...cast("/http-bind"), isConnectionless: true });
story("strophe.js over WebSocket", cast("/xmpp-websocket"));
