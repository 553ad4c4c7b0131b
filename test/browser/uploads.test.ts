/** What people upload, in a browser: pictures are seen, and nothing that is uploaded runs on the node's origin. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Browser } from "playwright-core";
import sharp from "sharp";
import { parseJid } from "../../src/xmpp/jid.ts";
import { cast, type Stage } from "../support/cast.ts";
import { upload } from "../support/upload.ts";
import { missingChromium, startChromium } from "./chromium.ts";
import { freePorts } from "../interop/peers/daemon.ts";

/** It would tell itself in the address of a picture, which no policy of ours forbids another site. */
const script = (origin: string): string =>
  `fetch("${origin}/ran"); new Image().src = "${origin}/ran"; document.title = "ran"; localStorage.ran = 1;`;

const hostile = (origin: string): [name: string, type: string, body: string][] => {
  const code = script(origin);
  const html = `<!doctype html><title>x</title><script>${code}</script><img src=x onerror='${code}'>`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" onload='${code}'><script>${code}</script></svg>`;
  const xhtml = `<html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title></head><body><script>${code}</script></body></html>`;
  return [
    ["page.html", "text/html", html],
    ["page.xhtml", "application/xhtml+xml", xhtml],
    ["drawing.svg", "image/svg+xml", svg],
    ["feed.xml", "text/xml", xhtml],
    // What is called a picture and is none.
    ["photo.png", "image/png", html],
    ["photo.jpg", "image/jpeg", svg],
    ["clip.mp4", "video/mp4", html],
    ["plain.txt", "text/plain", html],
    ["unknown", "application/octet-stream", html],
  ];
};

/** A second of silence: eight thousand samples of eight bits (RIFF WAVE). */
function silence(): Buffer {
  const samples = 8_000;
  const header = Buffer.alloc(44);
  header.write("RIFF\0\0\0\0WAVEfmt ");
  header.writeUInt32LE(36 + samples, 4);
  header.writeUInt32LE(16, 16);
  [1, 1].forEach((value, index) => header.writeUInt16LE(value, 20 + 2 * index));
  [samples, samples].forEach((value, index) => header.writeUInt32LE(value, 24 + 4 * index));
  [1, 8].forEach((value, index) => header.writeUInt16LE(value, 32 + 2 * index));
  header.write("data", 36);
  header.writeUInt32LE(samples, 40);
  return Buffer.concat([header, Buffer.alloc(samples, 128)]);
}

describe("uploads in Chromium", { skip: missingChromium }, () => {
  let browser: Browser;

  before(async () => {
    browser = await startChromium();
  });
  after(() => browser.close());

  /** A page with everything noted that is asked of the node because a script ran. */
  async function open(stage: Stage) {
    const context = await browser.newContext();
    const page = await context.newPage();
    const ran: string[] = [];
    context.on("request", (request) => {
      if (request.url().endsWith("/ran")) ran.push(request.url());
    });
    await page.goto(`${stage.web}/livez`);
    return { context, page, ran };
  }

  test("run no script, however they are opened or embedded", async (t) => {
    await using stage = await cast(t, { eve: {} });
    const { context, page, ran } = await open(stage);
    for (const [name, type, body] of hostile(stage.web)) {
      const path = await upload(stage.actors.eve, stage, body, { name, type });
      // What becomes a download is no page.
      const answer = await page.goto(`${stage.web}${path}`).catch((error: Error) => error.message);
      if (typeof answer === "string") assert.match(answer, /Download is starting|ERR_ABORTED/, name);
      await page.waitForLoadState("load");
      assert.notEqual(await page.title(), "ran", name);
      // In a frame and as an object of a page of the same origin, which has no policy against it.
      await page.route("**/frame", (route) =>
        route.fulfill({
          contentType: "text/html",
          body: `<iframe src="${path}"></iframe><object data="${path}"></object><embed src="${path}"><img src="${path}">`,
        }),
      );
      await page.goto(`${stage.web}/frame`, { waitUntil: "load" });
      await page.unroute("**/frame");
      assert.equal(await page.evaluate("localStorage.ran"), undefined, name);
    }
    assert.deepEqual(ran, []);
    await context.close();
  });

  test("give pages of the node no script and no style", async (t) => {
    await using stage = await cast(t, { eve: {} });
    const { context, page, ran } = await open(stage);
    const code = await upload(stage.actors.eve, stage, script(stage.web), {
      name: "a.js",
      type: "text/javascript",
    });
    const style = await upload(stage.actors.eve, stage, `body { background: url(${stage.web}/ran) }`, {
      ...{ name: "a.css", type: "text/css" },
    });
    await page.route("**/victim", (route) =>
      route.fulfill({
        contentType: "text/html",
        body: `<!doctype html><title>victim</title><link rel="stylesheet" href="${style}"><script src="${code}"></script>words`,
      }),
    );
    await page.goto(`${stage.web}/victim`, { waitUntil: "load" });
    assert.equal(await page.title(), "victim");
    assert.deepEqual(ran, []);
    await context.close();
  });

  test("that are sounds can be heard", async (t) => {
    await using stage = await cast(t, { eve: {} });
    const { context, page } = await open(stage);
    const path = await upload(stage.actors.eve, stage, silence(), { name: "a.wav", type: "audio/wav" });
    await page.goto(`${stage.web}${path}`);
    await page.waitForFunction("document.querySelector('video, audio').duration === 1");
    await context.close();
  });

  test("that are pictures are seen in posts, in the size of the page", async (t) => {
    const [port = 0] = await freePorts("127.0.0.1", 1);
    const url = `http://127.0.0.1:${port}`;
    await using stage = await cast(t, { ana: {} }, { config: { url, listen: { http: port } } });
    const photo = sharp({ create: { width: 3_000, height: 1_500, channels: 3, background: "green" } });
    const path = await upload(stage.actors.ana, stage, await photo.jpeg().toBuffer(), {
      ...{ name: "meadow.jpg", type: "image/jpeg", purpose: "permanent" },
    });
    const author = parseJid(stage.bare("ana"))!;
    const post = await stage.node.posts.create({ author, text: `A meadow\n\n![Green](${url}${path})` });
    const { context, page } = await open(stage);
    await page.goto(stage.node.posts.permalink(post), { waitUntil: "load" });
    const sizes =
      "[...document.querySelectorAll('[alt=Green]')].map((one) => [one.naturalWidth, one.naturalHeight])";
    assert.deepEqual(await page.evaluate(sizes), [[1_280, 640]]);
    await context.close();
  });
});
