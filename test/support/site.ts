/** The web of a real node without its listeners: accounts, posts and the store are there, requests go straight in. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Hono } from "hono";
import { pino } from "pino";
import { completeConfig, type ConfigInput } from "../../src/config.ts";
import type { Post } from "../../src/domain/posts.ts";
import { openNode, type OpenNode } from "../../src/node.ts";
import { parseJid, type Jid } from "../../src/xmpp/jid.ts";
import { NS } from "../../src/xmpp/ns.ts";
import { createApp } from "../../src/web/app.ts";

export const domain = "example.org";
export const base = `https://${domain}`;

export interface Site {
  readonly app: Hono;
  readonly node: OpenNode;
  /** What was logged as an error. */
  readonly errors: readonly string[];
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  /** The body of a page that is there. */
  read(path: string): Promise<string>;
  post(name: string, text: string): Promise<Post>;
  /** Sets who may read a person's posts, as their client would (XEP-0060 §8.2). */
  setAccess(name: string, model: "open" | "presence"): Promise<void>;
}

export const jid = (name: string): Jid => parseJid(`${name}@${domain}`)!;

/** Opens a node with these people; everything ends with the test. */
export async function site(
  t: TestContext,
  names: readonly string[],
  settings: ConfigInput = {},
): Promise<Site> {
  const data = await mkdtemp(join(tmpdir(), "pipit-"));
  const config = completeConfig({ domain, data, ...settings });
  const errors: string[] = [];
  const log = pino({ level: "error", base: null }, { write: (line: string) => void errors.push(line) });
  const node = await openNode(config, log);
  if (!node) throw new Error("the data directory is taken");
  t.after(async () => {
    await node.close();
    await rm(data, { recursive: true, force: true });
  });
  for (const name of names) await node.accounts.add(jid(name), `${name}'s secret`);
  const app = createApp({ ...node, config, log });
  const get = async (path: string, headers: Record<string, string> = {}) =>
    app.request(`${config.url}${path}`, { headers });
  return {
    app,
    node,
    errors,
    get,
    async read(path) {
      const response = await get(path);
      if (response.status !== 200) throw new Error(`${path}: ${response.status}`);
      return response.text();
    },
    post: (name, text) => node.posts.create({ author: jid(name), text }),
    setAccess(name, model) {
      const fields = new Map([["pubsub#access_model", { name: "pubsub#access_model", values: [model] }]]);
      const form = { type: "submit", formType: NS.pubsubNodeConfig, fields } as const;
      return node.pubsub.nodes.configure(jid(name).bare, NS.microblog, jid(name), form);
    },
  };
}
