/**
 * Joining in a browser, without JavaScript: the pages of invitations read well for everybody, and the form makes an
 * account. The screenshots stay where the test says.
 */
import assert from "node:assert/strict";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { parseJid } from "../../src/xmpp/jid.ts";
import { cast, type Stage } from "../support/cast.ts";
import { audit } from "./audit.ts";
import { missingChromium, startChromium } from "./chromium.ts";

const widths = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } } as const;

const invites = (stage: Stage, more: object = {}) => {
  const inviter = parseJid(stage.bare("ana"))!;
  return stage.node.invitations.create({ inviter, kind: "account", befriends: true, ...more });
};

async function fillsIn(page: Page, fields: Record<string, string>): Promise<void> {
  for (const [label, value] of Object.entries(fields))
    await page.getByLabel(label, { exact: true }).fill(value);
  await page.getByRole("button", { name: "Make my account" }).click();
}

describe("joining in Chromium", { skip: missingChromium }, () => {
  let browser: Browser;
  let shots: string;

  before(async () => {
    browser = await startChromium();
    shots = await mkdtemp(join(tmpdir(), "pipit-screenshots-"));
  });
  after(() => browser.close());

  for (const [size, viewport] of Object.entries(widths)) {
    for (const colorScheme of ["light", "dark"] as const) {
      test(`reads well and makes an account, ${size}, ${colorScheme}`, async (t) => {
        await using stage = await cast(
          t,
          { ana: { admin: true, presence: false } },
          { config: { registration: { open: true } } },
        );
        const origin = stage.web;
        const context = await browser.newContext({ viewport, colorScheme, javaScriptEnabled: false });
        const page = await context.newPage();
        const complaints: string[] = [];
        page.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
        page.on("request", (request) => {
          if (!request.url().startsWith(origin)) complaints.push(`fetches ${request.url()}`);
        });
        const isGood = async (name: string): Promise<void> => {
          await page.screenshot({ path: join(shots, `${name}-${size}-${colorScheme}.png`), fullPage: true });
          assert.deepEqual(await page.evaluate(audit), [], name);
          assert.deepEqual(
            complaints.splice(0).filter((one) => !/status of 4\d\d/.test(one)),
            [],
            name,
          );
        };
        const goes = async (path: string, status: number): Promise<void> =>
          assert.equal((await page.goto(`${origin}${path}`))?.status(), status);

        const { token } = await invites(stage);
        await goes(`/invite/${token}`, 200);
        assert.equal(await page.getByRole("heading", { level: 1 }).innerText(), "ana invites you to chat");
        await isGood("invitation");
        await fillsIn(page, { Name: "ana", Password: "a secret", "The same password again": "a secret" });
        assert.match(await page.getByRole("alert").innerText(), /ana@pipit\.test exists already/);
        assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), "ana");
        assert.equal(await page.getByLabel("Password", { exact: true }).inputValue(), "");
        await isGood("conflict");
        await fillsIn(page, { Name: "Juliet", Password: "a secret", "The same password again": "a secret" });
        assert.equal(await page.getByRole("heading", { level: 1 }).innerText(), "Welcome, juliet");
        await isGood("joined");
        const juliet = await stage.login("juliet", { password: "a secret", presence: false });
        await juliet.asks(
          `<iq type='get'><query xmlns='jabber:iq:roster'/></iq>`,
          `<iq type='result'><query xmlns='jabber:iq:roster'><item jid='ana@pipit.test' subscription='both'/></query></iq>`,
        );

        await goes(`/invite/${token}`, 410);
        await isGood("used");
        await goes("/invite/nonsense", 404);
        await isGood("unknown");
        const named = await invites(stage, { username: "ben" });
        await goes(`/invite/${named.token}`, 200);
        await isGood("named");
        const contact = await stage.node.invitations.create({
          inviter: parseJid(stage.bare("juliet"))!,
          kind: "contact",
        });
        await goes(`/invite/${contact.token}`, 200);
        assert.equal(await page.getByLabel("Name", { exact: true }).count(), 0);
        await isGood("contact");
        await goes("/register", 200);
        await isGood("register");
        await fillsIn(page, { Name: "eve", Password: "one", "The same password again": "another" });
        assert.match(await page.getByRole("alert").innerText(), /not the same/);
        assert.equal(await stage.node.accounts.exists("eve"), false);
        await context.close();
        t.diagnostic(`screenshots: ${shots}`);
      });
    }
  }

  test("a page of another site cannot send the form", async (t) => {
    await using stage = await cast(t, {}, { config: { registration: { open: true } } });
    // Another origin of the same machine: what is loopback to one is not the other.
    const elsewhere = stage.web.replace("127.0.0.1", "localhost");
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.route(`${elsewhere}/trap`, (route) =>
      route.fulfill({
        contentType: "text/html",
        body: `<form method=post action="${stage.web}/register">
          <input name=username value=eve><input name=password value=x><input name=again value=x><button>Win</button></form>`,
      }),
    );
    await page.goto(`${elsewhere}/trap`);
    const [answer] = await Promise.all([
      page.waitForResponse(`${stage.web}/register`),
      page.getByRole("button").click(),
    ]);
    assert.equal(answer.status(), 403);
    assert.equal(await stage.node.accounts.exists("eve"), false);
    await context.close();
  });
});
