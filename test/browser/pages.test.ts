/**
 * The pages in a browser, without JavaScript: nothing is blocked or broken, everybody can read and reach it, and it
 * looks well in light and dark. The screenshots stay where the test says.
 */
import assert from "node:assert/strict";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { parseJid } from "../../src/xmpp/jid.ts";
import { cast } from "../support/cast.ts";
import { audit } from "./audit.ts";
import { missingChromium, startChromium } from "./chromium.ts";

const widths = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } } as const;
const schemes = ["light", "dark"] as const;

const essay = `# Moving house with a blog

I moved the blog to my own server at last. Some notes, for those who asked.

## Why

I wanted **one address** for everything: chat, blog and feed. My address is now the same everywhere, and it is \`ana@pipit.test\`.

> The best time to plant a tree was twenty years ago. The second best time is now.

## What it took

1. A small machine with two cores
2. A domain name
3. One command:

\`\`\`
npm ci && npm start # ${"and a comment that is far too long for a phone ".repeat(3)}
\`\`\`

And then an evening of reading, because I am curious. ${"What surprised me most is how little it needs. ".repeat(12)}

### What is next

- Comments, which live on the author's server
- A nicer picture

![A bird on a post](https://pictures.example/bird.jpg) #selfhosting #xmpp`;

const notes = [
  "שלום! A post that starts right to left.\n\nThen a paragraph in English.\n\n- one\n- שתיים",
  'Markup & co: <b>no bold</b>, "quotes", ]]> and 5 > 3.',
  "🐦🌾 ☕️ 👩🏽‍💻 🏳️‍🌈",
  "مرحبا بالعالم! هذا منشور قصير باللغة العربية مع كلمة XMPP في الوسط. #سلام",
  "https://example.org/a/very/long/path/that/does/not/end/for/quite/a/while/and/then/some/more?with=query&and=more",
  "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft ist ein #Wort.",
  "First frost this morning. The meadow was white and silent until one pipit decided otherwise. #birds",
];

describe("the pages in Chromium", { skip: missingChromium }, () => {
  let browser: Browser;
  let shots: string;

  before(async () => {
    browser = await startChromium();
    shots = await mkdtemp(join(tmpdir(), "pipit-screenshots-"));
  });
  after(() => browser.close());

  /** A page of a window without JavaScript, with everything noted that the browser complains of or fetches elsewhere. */
  async function open(context: BrowserContext, origin: string) {
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("requestfailed", (request) => complaints.push(`failed: ${request.url()}`));
    page.on("request", (request) => {
      if (!request.url().startsWith(origin)) complaints.push(`fetches ${request.url()}`);
    });
    return { page, complaints };
  }

  test("read well, on a desk and on a phone, by day and by night", async (t) => {
    await using stage = await cast(t, { ana: { presence: false }, eve: { presence: false } });
    const author = parseJid(stage.bare("ana"))!;
    const { posts, ports } = stage.node;
    for (const text of notes) await posts.create({ author, text });
    const article = await posts.create({ author, text: essay, language: "en" });
    const gone = await posts.create({ author, text: "Gone" });
    await posts.remove({ author, id: gone.id });
    const origin = `http://127.0.0.1:${ports.http}`;
    const places = [
      ["home", "/", 200],
      ["profile", "/@ana", 200],
      ["article", `/@ana/${article.id}`, 200],
      ["tag", "/tag/xmpp", 200],
      ["empty", "/@eve", 200],
      ["missing", "/nowhere", 404],
      ["deleted", `/@ana/${gone.id}`, 410],
    ] as const;

    for (const [size, viewport] of Object.entries(widths)) {
      for (const colorScheme of schemes) {
        const context = await browser.newContext({ viewport, colorScheme, javaScriptEnabled: false });
        const { page, complaints } = await open(context, origin);
        for (const [name, path, status] of places) {
          const where = `${name} ${size} ${colorScheme}`;
          const answer = await page.goto(`${origin}${path}`);
          assert.equal(answer?.status(), status, where);
          assert.deepEqual(await page.evaluate(audit), [], where);
          await page.screenshot({ path: join(shots, `${name}-${size}-${colorScheme}.png`), fullPage: true });
          // That a page is missing is all there is to complain of.
          const unexpected = complaints.splice(0).filter((text) => !text.includes(`status of ${status}`));
          assert.deepEqual(unexpected, [], where);
        }
        await context.close();
      }
    }
    t.diagnostic(`screenshots: ${shots}`);
  });

  test("can be used with the keyboard alone", async (t) => {
    await using stage = await cast(t, { ana: { presence: false } });
    await stage.node.posts.create({ author: parseJid(stage.bare("ana"))!, text: essay });
    const origin = `http://127.0.0.1:${stage.node.ports.http}`;
    const context = await browser.newContext({
      viewport: { width: 320, height: 640 },
      javaScriptEnabled: false,
    });
    const { page, complaints } = await open(context, origin);
    await page.goto(`${origin}/@ana`);

    await page.keyboard.press("Tab");
    assert.equal(await focused(page), "skip", "the first stop leads past the banner");
    await page.keyboard.press("Enter");
    await page.waitForURL(`${origin}/@ana#main`);
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate("document.activeElement.closest('main') !== null"), true);
    assert.notEqual(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle"), "none");

    await page.getByRole("link", { name: "Read on: Moving house with a blog" }).click();
    assert.equal(await page.getByRole("heading", { level: 1 }).innerText(), "Moving house with a blog");
    assert.deepEqual(await page.evaluate(audit), [], "at 320 pixels");
    assert.deepEqual(complaints, []);
    await context.close();
  });
});

const focused = (page: Page): Promise<unknown> => page.evaluate("document.activeElement.className");
