/** What can be asked of `timeline@`: messages of one or two words that are no posts. */
import type { Follow } from "../domain/follows.ts";
import { NS } from "../xmpp/ns.ts";
import { parseJid, type Jid } from "../xmpp/jid.ts";
import { readUri } from "../xmpp/uri.ts";
import type { ModuleContext } from "./context.ts";

type Parts = Pick<ModuleContext, "follows" | "pubsub">;

/** Carries it out for an account and says what came of it. */
export type Command = (parts: Parts, author: Jid) => Promise<string>;

interface Entry {
  readonly word: string;
  readonly usage: string;
  readonly does: string;
  /** What it does with the word behind it; `undefined` where that makes it no command. */
  readonly command: (argument: string | undefined) => Command | undefined;
}

/** A command that stands alone. */
const alone =
  (command: Command): Entry["command"] =>
  (argument) =>
    argument === undefined ? command : undefined;

/** A command about somebody. */
const about =
  (command: (parts: Parts, author: Jid, target: Jid) => Promise<string>): Entry["command"] =>
  (argument) => {
    const target = argument === undefined ? undefined : addressIn(argument);
    return target && ((parts, author) => command(parts, author, target));
  };

/** `help` lists these. */
const entries: readonly Entry[] = [
  { word: "help", usage: "help", does: "shows this", command: alone(async () => help()) },
  {
    word: "follow",
    usage: "follow bob@example.org",
    does: "brings what they publish to this chat",
    command: about(async ({ follows }, author, target) => followed(await follows.follow(author, target))),
  },
  {
    word: "unfollow",
    usage: "unfollow bob@example.org",
    does: "ends that",
    command: about(async ({ follows }, author, target) => {
      await follows.unfollow(author, target);
      return `You no longer follow ${target.bare}.`;
    }),
  },
  {
    word: "following",
    usage: "following",
    does: "lists whom you follow",
    command: alone(async ({ follows }, author) => {
      const list = await follows.of(author.bare);
      return list.length === 0 ? "You follow nobody." : list.map(line).join("\n");
    }),
  },
  {
    word: "followers",
    usage: "followers",
    does: "lists who follows you",
    command: alone(async ({ pubsub }, author) => {
      const list = await followersOf({ pubsub }, author.bare);
      return list.length === 0 ? "Nobody follows you yet." : list.join("\n");
    }),
  },
];

const help = (): string =>
  [
    "What you write here is published on your blog. Markdown works, and #words become tags.",
    "Correct a message to edit the post, retract it to delete the post.",
    ...entries.map(({ usage, does }) => `${usage} – ${does}`),
  ].join("\n");

/** The command that a text is. A text that only begins like one is a post. */
export function commandIn(text: string): Command | undefined {
  const [word = "", argument, ...more] = text.trim().split(/\s+/);
  if (more.length > 0) return undefined;
  return entries.find((entry) => entry.word === word.toLowerCase())?.command(argument);
}

/** What stands for somebody: an address, or an `xmpp:` URI of theirs or of their blog. */
function addressIn(argument: string): Jid | undefined {
  const uri = readUri(argument);
  if (uri && uri.node !== undefined && uri.node !== NS.microblog) return undefined;
  const jid = parseJid(uri?.jid ?? argument);
  return jid && jid.local !== "" ? jid.toBare() : undefined;
}

/** Bare addresses, each once. */
export async function followersOf({ pubsub }: Pick<Parts, "pubsub">, account: string): Promise<string[]> {
  const node = await pubsub.find(account, NS.microblog);
  const subscriptions = node ? await pubsub.subscriptions.at(node) : [];
  const subscribed = subscriptions.filter(({ state }) => state === "subscribed");
  return [...new Set(subscribed.map(({ jid }) => parseJid(jid)?.bare ?? jid))].sort();
}

/** What came of a follow. */
export function followed({ target, state, reason }: Follow): string {
  if (state === "subscribed") return `You follow ${target} now.`;
  if (state === "refused") return `${target} cannot be followed: ${reason}.`;
  return `You will follow ${target}, but not yet: ${reason ?? "they were not asked yet"}. It is tried again by itself.`;
}

/** One line of a list. */
export const line = ({ target, state, reason }: Follow): string =>
  state === "subscribed"
    ? target
    : `${target} (${state === "refused" ? "refused" : "not yet"}: ${reason ?? "not asked yet"})`;
