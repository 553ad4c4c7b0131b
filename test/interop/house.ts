/** A node with two people on it, and what a reader can fetch of their posts. */
import assert from "node:assert";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { ConfigInput } from "../../src/config.ts";
import { spawnNode, type NodeProcess } from "../support/node.ts";

export const password = "correct horse";

/** The node as people run it, with ana and ben. */
export async function house(t: TestContext, settings: ConfigInput = {}): Promise<NodeProcess> {
  const node = await spawnNode(t, settings);
  for (const name of ["ana", "ben"]) {
    const added = await node.pipit(["account", "add", `${name}@${node.domain}`, "--password", password]);
    assert.equal(added.code, 0, added.stderr);
  }
  return node;
}

/** A directory that goes with the test. */
export async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "pipit-interop-"));
  // A program that has been told to go may still be writing.
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 10 }));
  return folder;
}

/** A path of the node's web, as a reader gets it. */
export async function fetched(node: NodeProcess, path: string): Promise<{ status: number; body: string }> {
  const response = await fetch(`http://127.0.0.1:${node.ports.http}${path}`);
  return { status: response.status, body: await response.text() };
}

/** The page and the three feeds of ana, by path. */
export const outlets = ["/@ana", "/@ana/feed.atom", "/@ana/feed.rss", "/@ana/feed.json"] as const;

/** Asserts that a text stands on ana's page and in each of her feeds, or that it stands in none. */
export async function assertPublished(node: NodeProcess, text: string, published = true): Promise<void> {
  for (const path of outlets) {
    const { status, body } = await fetched(node, path);
    assert.equal(status, 200, path);
    assert.equal(body.includes(text), published, `${path} ${published ? "lacks" : "still has"} ${text}`);
  }
}
