/**
 * `timeline@<domain>`: one's own blog as a contact. What an account of this node writes to it is published; a corrected
 * message edits the post, a retracted one deletes it. The answer comes once that is on disk. Some words are commands.
 */
import type { Post, Posts } from "../domain/posts.ts";
import { get, type Passage } from "../server/module.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { newId } from "../xmpp/id.ts";
import { parseJid, type Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, child, copy, xml, type Element } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";
import { commandIn, type Command } from "./timeline-commands.ts";
import { messageIds, wishOf, type Wish } from "./timeline-message.ts";

/** The localpart; no account can have it. */
const local = "timeline";
/** Presence comes from a resource (RFC 6121 §4.1). */
const resource = "pipit";
const title = "Timeline";
const summary = "What you write to me is published on your blog. Write help to learn more.";

export default defineModule({
  name: "timeline",
  xeps: ["0308", "0424", "0428"],
  setup: (context) => {
    const { config, accounts, log, posts, router } = context;
    const self = parseJid(`${local}@${config.domain}`)!;

    /** Whether an account of this node asks; strangers have no blog here. */
    const isOurs = async (jid: Jid): Promise<boolean> =>
      jid.domain === config.domain && jid.local !== "" && accounts.exists(jid.local);

    async function message({ stanza, from }: Passage): Promise<void> {
      const type = attr(stanza, "type");
      if (type === "error" || type === "headline") return;
      if (type === "groupchat") throw new StanzaError("service-unavailable");
      const wish = wishOf(stanza);
      if (!wish) return;
      if (!(await isOurs(from))) {
        throw new StanzaError("forbidden", {
          text: `Only the accounts of ${config.domain} can publish here`,
        });
      }
      const author = from.toBare();
      const command = await commandOf(wish, author, posts);
      if (command) return run(() => command(context, author), stanza);
      const said = await grant(wish, messageIds(stanza), author, posts);
      return router.route(answerTo(stanza, self, said));
    }

    /** In a task of its own: a command may ask others, and they may take their time. */
    function run(command: () => Promise<string>, stanza: Element): void {
      const refused = (error: unknown): string => {
        if (error instanceof StanzaError) return error.message;
        log.error({ err: error }, "a command to the timeline failed");
        return "That did not work. Please try again.";
      };
      void command()
        .catch(refused)
        .then((said) => router.route(answerTo(stanza, self, said)));
    }

    async function presence({ stanza, from }: Passage): Promise<void> {
      const type = attr(stanza, "type");
      const isContact = await isOurs(from);
      const send = (attrs: Record<string, string>, ...parts: Element[]) =>
        router.route(xml("presence", { from: self.bare, to: from.bare, ...attrs }, ...parts));
      const here = (to: Jid) =>
        send({ from: self.withResource(resource).full, to: to.full }, xml("status", {}, summary));
      if (type === "subscribe") {
        await send({ type: isContact ? "subscribed" : "unsubscribed" });
        if (isContact) await here(from.toBare());
      } else if (type === "probe" && isContact) {
        await here(from);
      } else if (type === "unsubscribe") {
        await send({ from: self.withResource(resource).full, type: "unavailable" });
      }
    }

    return {
      services: [
        {
          name: local,
          address: self.bare,
          identities: [{ category: "client", type: "bot", name: title }],
          features: [NS.correct, NS.retract, NS.vcard],
          message,
          presence,
        },
      ],
      iq: [
        get(NS.vcard, "vCard", local, () =>
          xml(
            "vCard",
            { xmlns: NS.vcard },
            xml("FN", {}, title),
            xml("NICKNAME", {}, title),
            xml("DESC", {}, summary),
          ),
        ),
      ],
    };
  },
});

/** The command that a message is, unless it corrects a post. */
async function commandOf(wish: Wish, author: Jid, posts: Posts): Promise<Command | undefined> {
  if (wish.kind !== "say") return undefined;
  const command = commandIn(wish.text);
  const { corrects } = wish;
  const isEdit = command && corrects !== undefined && (await posts.idOfMessage(author.bare, corrects));
  return isEdit ? undefined : command;
}

/** Does what is asked for, durably, and says so. */
async function grant(wish: Wish, ids: string[], author: Jid, posts: Posts): Promise<string> {
  if (wish.kind === "retract") {
    const id = await posts.idOfMessage(author.bare, wish.messageId);
    if (id === undefined) throw new StanzaError("item-not-found", { text: "That message made no post" });
    await posts.remove({ author, id });
    return "Deleted.";
  }
  const { text, language, corrects } = wish;
  const corrected = corrects === undefined ? undefined : await posts.idOfMessage(author.bare, corrects);
  if (corrected !== undefined) {
    return told(
      "Edited",
      await posts.edit({ author, id: corrected, text, language, messageIds: ids }),
      posts,
    );
  }
  // What takes the place of a message that made no post (a command, or one that was refused) is a post of its own.
  if (corrects !== undefined) ids.push(corrects);
  const post = await posts.create({ author, text, language, messageIds: ids });
  return post.deletedAt ? "That post was deleted." : told("Posted", post, posts);
}

const told = (done: string, post: Post, posts: Posts): string =>
  post.public ? `${done}: ${posts.permalink(post)}` : `${done}. Only those who may read your blog see it.`;

/** A message back to the resource that wrote, of the same type and thread (RFC 6121 §5.2.2, §5.2.5). */
function answerTo(message: Element, from: Jid, said: string): Element {
  const id = newId();
  const thread = child(message, "thread");
  return xml(
    "message",
    { from: from.bare, to: attr(message, "from"), id, type: attr(message, "type") },
    xml("body", {}, said),
    ...(thread ? [copy(thread)] : []),
    xml("origin-id", { xmlns: NS.stanzaIds, id }),
    xml("store", { xmlns: NS.hints }),
  );
}
