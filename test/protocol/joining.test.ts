/** The pages of joining over HTTP: what they say to whom, and which forms are taken. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { eq } from "drizzle-orm";
import type { ConfigInput } from "../../src/config.ts";
import type { Invitation } from "../../src/domain/invitations.ts";
import { base, jid, site, type Site } from "../support/site.ts";

const invites = ({ node }: Site, more: object = {}): Promise<Invitation> =>
  node.invitations.create({ inviter: jid("ana"), kind: "account", befriends: true, ...more });

async function place(t: TestContext, settings: ConfigInput = {}): Promise<Site> {
  const here = await site(t, ["ana"], settings);
  await here.node.accounts.setAdmins([jid("ana")]);
  return here;
}

const form = (username: string, password = "a secret", again = password): URLSearchParams =>
  new URLSearchParams({ username, password, again });

/** Sends a form as a browser does from a page of this site. */
const posts = async (
  { app }: Site,
  path: string,
  body: URLSearchParams | string,
  headers: Record<string, string> = { Origin: base },
): Promise<Response> => {
  const type = { "Content-Type": "application/x-www-form-urlencoded" };
  return app.request(`${base}${path}`, {
    method: "POST",
    body: String(body),
    headers: { ...type, ...headers },
  });
};

const passes = ({ node }: Site, { token }: Invitation, milliseconds: number): Promise<void> =>
  node.store.transaction(async ({ db, t: { invitations } }) => {
    const expiresAt = new Date(Date.now() - milliseconds);
    db.update(invitations).set({ expiresAt }).where(eq(invitations.token, token)).run();
  });

test("the page tells who invites, and has the link for apps; nobody keeps or lists it", async (t) => {
  const here = await place(t);
  const { token } = await invites(here);
  const response = await here.get(`/invite/${token}`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("cache-control"), "no-store");
  assert.match(response.headers.get("x-robots-tag") ?? "", /noindex/);
  // Other sites learn nothing of the address; with "no-referrer" browsers would hide that the form is our own.
  assert.equal(response.headers.get("referrer-policy"), "same-origin");
  assert.match(response.headers.get("content-security-policy")!, /default-src 'none'.*form-action 'self'/);
  const html = await response.text();
  assert.match(html, /ana invites you to chat/);
  assert(html.includes(`href="xmpp:example.org?register;preauth=${token}"`));
  assert.match(html, /<svg class="qr"/);
  assert.equal((await here.node.invitations.find(token))?.usedAt, null, "looking uses nothing up");
});

test("the app for the reader's own device comes first", async (t) => {
  const here = await place(t);
  const { token } = await invites(here);
  for (const [agent, first] of [
    ["Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36", "Conversations"],
    ["Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15", "Monal"],
    ["Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:130.0) Gecko/20100101 Firefox/130.0", "Gajim"],
    ["Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0", "Dino"],
  ] as const) {
    const html = await (await here.get(`/invite/${token}`, { "User-Agent": agent })).text();
    const apps = html.slice(html.indexOf('class="apps"'));
    assert.equal(/>(\w+)<\/a>/.exec(apps)?.[1], first);
  }
});

test("the form makes the account, and a contact of who invited; then the invitation is used", async (t) => {
  const here = await place(t);
  const { token } = await invites(here);
  const response = await posts(here, `/invite/${token}`, form("Juliet"));
  assert.equal(response.status, 201);
  assert.equal(response.headers.get("cache-control"), "no-store");
  const html = await response.text();
  assert.match(html, /juliet@example\.org/);
  assert.doesNotMatch(html, /a secret/);
  assert.equal((await here.node.rosters.item(jid("ana").bare, jid("juliet").bare))?.subscription, "both");
  assert.equal((await here.node.rosters.item(jid("juliet").bare, jid("ana").bare))?.subscription, "both");
  const again = await here.get(`/invite/${token}`);
  assert.equal(again.status, 410);
  assert.equal(again.headers.get("cache-control"), "no-store");
  assert.match(await again.text(), /was used/);
  assert.equal((await posts(here, `/invite/${token}`, form("ben"))).status, 410);
  assert.equal(await here.node.accounts.exists("ben"), false);
});

test("what cannot be an account is told on the form, which keeps the name and forgets the password", async (t) => {
  const here = await place(t);
  const { token } = await invites(here);
  const cases: [URLSearchParams | string, number, RegExp][] = [
    [form("ana"), 409, /exists already/],
    [form("ben", "one", "another"), 400, /not the same/],
    [form("ben", ""), 400, /password is missing/],
    [form(" "), 400, /name is missing/],
    [form("a b"), 400, /cannot be a name/],
    [form("abuse"), 400, /reserved/],
    [form("ben", "x".repeat(1_025)), 400, /1 to 1024 bytes/],
    ["nothing", 400, /name is missing/],
  ];
  for (const [body, status, text] of cases) {
    const response = await posts(here, `/invite/${token}`, body);
    const html = await response.text();
    assert.equal(response.status, status, html);
    assert.match(html, new RegExp(`role="alert">[^<]*${text.source}`));
    assert.doesNotMatch(html, /value="(?:one|another|x+)"/);
    if (String(body).includes("username=ben")) assert.match(html, /value="ben"/);
  }
  const markup = await (await posts(here, `/invite/${token}`, form('"><script>'))).text();
  assert.doesNotMatch(markup, /<script>/);
  assert.equal((await here.node.invitations.find(token))?.usedAt, null);
  assert.equal((await posts(here, `/invite/${token}`, form("ben"))).status, 201);
});

test("a name that is settled is the only one that is taken", async (t) => {
  const here = await place(t);
  const { token } = await invites(here, { username: "juliet" });
  const html = await here.read(`/invite/${token}`);
  assert.match(html, /<input[^>]*name="username"[^>]*value="juliet"[^>]*readonly/);
  assert.equal((await posts(here, `/invite/${token}`, form("ben"))).status, 400);
  assert.equal((await posts(here, `/invite/${token}`, form("juliet"))).status, 201);
});

test("an invitation that is over, or never was, says so; a form that was opened in time is taken", async (t) => {
  const here = await place(t);
  assert.equal((await here.get("/invite/nonsense")).status, 404);
  assert.equal((await posts(here, "/invite/nonsense", form("ben"))).status, 404);
  const [late, lost, revoked] = [await invites(here), await invites(here), await invites(here)];
  await passes(here, late, 60_000);
  const page = await here.get(`/invite/${late.token}`);
  assert.equal(page.status, 410);
  assert.match(await page.text(), /has expired.*ana can make you a new one/s);
  assert.equal((await posts(here, `/invite/${late.token}`, form("ben"))).status, 201);
  await passes(here, lost, 7_200_000);
  assert.equal((await posts(here, `/invite/${lost.token}`, form("eve"))).status, 410);
  await here.node.invitations.revoke(revoked.token);
  assert.equal((await here.get(`/invite/${revoked.token}`)).status, 404);
});

test("an invitation to be a contact makes no account", async (t) => {
  const here = await place(t, { registration: { invitations: false } });
  const { token } = await here.node.invitations.create({ inviter: jid("ana"), kind: "contact" });
  const html = await here.read(`/invite/${token}`);
  assert.doesNotMatch(html, /<form/);
  assert(html.includes(`href="xmpp:ana@example.org?roster;preauth=${token}"`));
  assert.equal((await posts(here, `/invite/${token}`, form("ben"))).status, 405);
});

test("whoever runs the node invites too, and is nobody's contact", async (t) => {
  const here = await place(t);
  const { token } = await here.node.invitations.create({ kind: "account", username: "ben", days: 1 });
  assert.match(await here.read(`/invite/${token}`), /You are invited to example\.org/);
  assert.equal((await posts(here, `/invite/${token}`, form("ben"))).status, 201);
  assert.equal((await here.node.rosters.of(jid("ben").bare)).size, 0);
});

test("forms are taken from pages of this site alone", async (t) => {
  const here = await place(t, { registration: { open: true } });
  const sends = async (headers: Record<string, string>) =>
    (await posts(here, "/register", form("admin"), headers)).status;
  for (const foreign of [
    {},
    { Origin: "https://evil.example" },
    { Origin: "null" },
    { Origin: "https://example.org.evil.example" },
    { "Sec-Fetch-Site": "cross-site" },
    { "Sec-Fetch-Site": "same-site", Origin: "https://other.example.org" },
    { "Sec-Fetch-Site": "none" },
  ]) {
    assert.equal(await sends(foreign as Record<string, string>), 403, JSON.stringify(foreign));
  }
  // It is not the form that is at fault any more, but the name.
  assert.equal(await sends({ Origin: base }), 400);
  assert.equal(await sends({ "Sec-Fetch-Site": "same-origin" }), 400);
});

test("no path takes a form without asking where it comes from", async (t) => {
  const here = await place(t);
  const paths = here.app.routes.filter(({ method }) => method === "POST").map(({ path }) => path);
  assert(paths.length > 0);
  for (const path of new Set(paths))
    assert.equal(
      (await posts(here, path.replace(/:\w+/, "x"), form("ben"), { Origin: "https://evil.example" })).status,
      403,
      path,
    );
});

test("anybody may register where that is the setting, and nobody else", async (t) => {
  const closed = await place(t);
  assert.equal((await closed.get("/register")).status, 404);
  assert.equal((await posts(closed, "/register", form("ben"))).status, 404);
  const here = await place(t, { registration: { open: true } });
  assert.match(await here.read("/register"), /An account at example\.org/);
  assert.equal((await posts(here, "/register", form("ben"))).status, 201);
  assert.equal(await here.node.accounts.exists("ben"), true);
});

test("too many accounts from one network have to wait, but not those who were invited", async (t) => {
  const here = await place(t, { registration: { open: true } });
  for (let tries = 0; tries < 61; tries += 1) await posts(here, "/register", form("abuse"));
  assert.equal((await posts(here, "/register", form("ben"))).status, 429);
  const { token } = await invites(here);
  assert.equal((await posts(here, `/invite/${token}`, form("ben"))).status, 201);
});

test("what is no form says nothing", async (t) => {
  const here = await place(t, { registration: { open: true } });
  const type = { Origin: base, "Content-Type": "multipart/form-data" };
  assert.equal((await posts(here, "/register", "no form at all", type)).status, 400);
});

test("a form has an end", async (t) => {
  const here = await place(t, { registration: { open: true } });
  assert.equal((await posts(here, "/register", form("ben", "x".repeat(20_000)))).status, 413);
});

test("neither a password nor a secret goes over plain http", async (t) => {
  const here = await place(t);
  const { token } = await invites(here);
  const plain = `http://example.org/invite/${token}`;
  assert.equal((await here.app.request(plain)).status, 403);
  const body = String(form("ben"));
  const headers = { Origin: base, "Content-Type": "application/x-www-form-urlencoded" };
  assert.equal((await here.app.request(plain, { method: "POST", body, headers })).status, 403);
  assert.equal(await here.node.accounts.exists("ben"), false);
});
