/** What the command line can do. One table for both ways: inside the running node, or on an opened one. */
import type { ParseArgsConfig } from "node:util";
import { stateOf, type Invitation, type Invitations } from "./domain/invitations.ts";
import type { Post } from "./domain/posts.ts";
import { federationLines, federationText } from "./federation-report.ts";
import { followed, followersOf, line } from "./modules/timeline-commands.ts";
import type { OpenNode } from "./node.ts";
import { exportTo, importFrom, reportText } from "./transfer.ts";
import { blockedStore } from "./store/blocked.ts";
import { formatDateTime } from "./xmpp/datetime.ts";
import { StanzaError } from "./xmpp/errors.ts";
import { parseJid, type Jid } from "./xmpp/jid.ts";

/** A verb with its arguments, checked by `parseCommand`; it travels as JSON. */
export interface Command {
  readonly verb: string;
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
}

/** The same answer twice: lines for people, data for programs. */
export interface Answer {
  readonly text: string;
  readonly data: unknown;
}

export type Reply =
  { readonly ok: true; readonly answer: Answer } | { readonly ok: false; readonly error: string };

export interface Verb {
  /** Names of the arguments; the one in `asks` may be left out and is then asked for or read from standard input. */
  readonly args: readonly string[];
  readonly options?: NonNullable<ParseArgsConfig["options"]>;
  readonly asks?: "password" | "text";
  /** An argument behind the others that may be left out. */
  readonly optional?: string;
  /** Which argument or option is a file, by its name. */
  readonly file?: string;
  /** It writes to that file; without one, its data goes to standard output. */
  readonly writes?: true;
  /** It may take as long as it takes. */
  readonly slow?: true;
  readonly about: string;
  run(node: OpenNode, args: readonly string[], options: Command["options"]): Promise<Answer>;
}

/** The newest so many are told; the rest is in the store. */
const reportsShown = 100;

const password = { password: { type: "string" } } as const;

export const verbs: Readonly<Record<string, Verb>> = {
  "account add": {
    args: ["address"],
    options: { ...password, admin: { type: "boolean" } },
    asks: "password",
    about: "make an account",
    async run({ accounts }, [address], { password, admin }) {
      const account = await accounts.add(jidOf(address), String(password), { admin: admin === true });
      return { text: `${account.jid} can log in now`, data: account };
    },
  },
  "account list": {
    args: [],
    about: "show the accounts",
    async run({ accounts }) {
      const list = await accounts.list();
      const lines = list.map(({ jid, admin, disabled }) => {
        const marks = [...(admin ? ["admin"] : []), ...(disabled ? ["disabled"] : [])];
        return marks.length > 0 ? `${jid} (${marks.join(", ")})` : jid;
      });
      return { text: lines.join("\n"), data: list };
    },
  },
  "account passwd": {
    args: ["address"],
    options: password,
    asks: "password",
    about: "set a new password",
    async run({ accounts }, [address], { password }) {
      const jid = jidOf(address);
      await accounts.setPassword(jid, String(password));
      return { text: `${jid.bare} has a new password`, data: { jid: jid.bare } };
    },
  },
  "account disable": {
    args: ["address"],
    about: "let nobody log in to an account",
    async run({ accounts }, [address]) {
      const jid = jidOf(address);
      await accounts.setDisabled(jid, true);
      return { text: `${jid.bare} is disabled`, data: { jid: jid.bare } };
    },
  },
  "account enable": {
    args: ["address"],
    about: "let its owner log in again",
    async run({ accounts }, [address]) {
      const jid = jidOf(address);
      await accounts.setDisabled(jid, false);
      return { text: `${jid.bare} can log in again`, data: { jid: jid.bare } };
    },
  },
  "account remove": {
    args: ["address"],
    about: "end an account; its name stays taken",
    async run({ accounts }, [address]) {
      const jid = jidOf(address);
      await accounts.remove(jid);
      return { text: `${jid.bare} is removed`, data: { jid: jid.bare } };
    },
  },
  "account app-password add": {
    args: ["address", "name"],
    about: "make a password for one app",
    async run({ appPasswords }, [address, name]) {
      const made = await appPasswords.add(jidOf(address), name!);
      return { text: made.password, data: made };
    },
  },
  "account app-password list": {
    args: ["address"],
    about: "show what the app passwords are for",
    async run(node, [address]) {
      const list = await node.appPasswords.list((await authorOf(node, address)).bare);
      return { text: list.map(({ name }) => name).join("\n"), data: list };
    },
  },
  "account app-password remove": {
    args: ["address", "name"],
    about: "take one back",
    async run(node, [address, name]) {
      const { bare } = await authorOf(node, address);
      const removed = await node.appPasswords.remove(bare, name!);
      return { text: `"${removed.name}" opens nothing any more`, data: removed };
    },
  },
  "invite create": {
    args: [],
    options: { username: { type: "string" }, from: { type: "string" }, days: { type: "string" } },
    about: "make a link with which somebody makes an account, and becomes a contact of --from",
    async run({ invitations }, _, { username, from, days }) {
      const invitation = await invitations.create({
        kind: "account",
        username: username as string | undefined,
        ...(from !== undefined && { inviter: jidOf(String(from)), befriends: true }),
        ...(days !== undefined && { days: Number(days) }),
      });
      const data = invitationData(invitations, invitation);
      const until = formatDateTime(data.expiresAt);
      return { text: `${data.link}\ngood for one account, until ${until}`, data };
    },
  },
  "invite list": {
    args: [],
    about: "show the invitations, those that are over too",
    async run({ invitations }) {
      const list = (await invitations.list()).map((one) => invitationData(invitations, one));
      return { text: list.map(invitationLine).join("\n"), data: list };
    },
  },
  "invite revoke": {
    args: ["link"],
    about: "take back an invitation that nobody has used",
    async run({ invitations }, [link = ""]) {
      const token = link.slice(link.lastIndexOf("/") + 1);
      await invitations.revoke(token);
      return { text: "the invitation is good for nothing now", data: { token } };
    },
  },
  post: {
    args: ["address", "text"],
    asks: "text",
    about: "publish a post",
    async run(node, [address, text]) {
      const author = await authorOf(node, address);
      return posted(node, await node.posts.create({ author, text: text! }));
    },
  },
  "post edit": {
    args: ["address", "id", "text"],
    asks: "text",
    about: "replace the text of a post",
    async run(node, [address, id, text]) {
      const author = await authorOf(node, address);
      return posted(node, await node.posts.edit({ author, id: id!, text: text! }));
    },
  },
  "post delete": {
    args: ["address", "id"],
    about: "delete a post",
    async run(node, [address, id]) {
      const author = await authorOf(node, address);
      await node.posts.remove({ author, id: id! });
      return { text: `${id} is deleted`, data: { id } };
    },
  },
  follow: {
    args: ["address", "whom"],
    about: "follow somebody's blog, wherever it is",
    async run(node, [address, whom]) {
      const follow = await node.follows.follow(await authorOf(node, address), jidOf(whom));
      return { text: followed(follow), data: follow };
    },
  },
  unfollow: {
    args: ["address", "whom"],
    about: "end that",
    async run(node, [address, whom]) {
      const target = jidOf(whom);
      await node.follows.unfollow(await authorOf(node, address), target);
      return { text: `${target.bare} is no longer followed`, data: { target: target.bare } };
    },
  },
  following: {
    args: ["address"],
    about: "show whom an account follows",
    async run(node, [address]) {
      const list = await node.follows.of((await authorOf(node, address)).bare);
      return { text: list.map(line).join("\n"), data: list };
    },
  },
  followers: {
    args: ["address"],
    about: "show who follows an account",
    async run(node, [address]) {
      const list = await followersOf(node, (await authorOf(node, address)).bare);
      return { text: list.join("\n"), data: list };
    },
  },
  export: {
    args: [],
    optional: "address",
    options: { output: { type: "string" } },
    file: "output",
    writes: true,
    slow: true,
    about: "write an account, or all of them, to a file (XEP-0227)",
    async run(node, [address], { output }) {
      await exportTo(node, String(output), address === undefined ? undefined : jidOf(address));
      return { text: `${address ?? "all accounts"} can be read from ${output}`, data: { file: output } };
    },
  },
  import: {
    args: ["file"],
    options: { admins: { type: "boolean" } },
    file: "file",
    slow: true,
    about: "take over the accounts in such a file",
    async run(node, [file], { admins }) {
      const report = await importFrom(node, file!, admins === true);
      return { text: reportText(report), data: report };
    },
  },
  reports: {
    args: [],
    about: "show whom people have reported, the newest first",
    async run({ store }) {
      const list = await blockedStore(store).reports(reportsShown);
      const lines = list.map(
        ({ reportedAt, account, jid, reason }) =>
          `${formatDateTime(reportedAt)} ${account} reports ${jid} (${reason})`,
      );
      return { text: lines.join("\n") || "nobody has reported anybody", data: list };
    },
  },
  federation: {
    args: [],
    about: "show how it stands with other servers",
    async run({ federation, config }) {
      const lines = federationLines(await federation.status());
      return { text: federationText(lines, config.domain), data: lines };
    },
  },
};

/** Carries out a command; what the domain refuses becomes the reply's error. */
export async function execute(node: OpenNode, { verb, args, options }: Command): Promise<Reply> {
  const found = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
  if (!found) return { ok: false, error: `this version knows no "${verb}"` };
  try {
    return { ok: true, answer: await found.run(node, args, options) };
  } catch (error) {
    if (error instanceof StanzaError) return { ok: false, error: error.message };
    node.log.error({ err: error, verb }, "a command failed");
    return { ok: false, error: "the command failed; the log says why" };
  }
}

function jidOf(address: string | undefined): Jid {
  const jid = parseJid(address ?? "");
  if (jid?.local && jid.isBare) return jid;
  throw new StanzaError("jid-malformed", { text: `"${address}" is not an address such as ana@example.org` });
}

async function authorOf({ config, accounts }: OpenNode, address: string | undefined): Promise<Jid> {
  const jid = jidOf(address);
  if (jid.domain === config.domain && (await accounts.exists(jid.local))) return jid;
  throw new StanzaError("item-not-found", { text: `There is no account ${jid.bare}` });
}

function posted({ posts }: OpenNode, post: Post): Answer {
  const url = posts.permalink(post);
  return { text: `${post.id}\n${url}`, data: { id: post.id, url } };
}

const invitationData = (invitations: Invitations, invitation: Invitation) => ({
  ...invitation,
  state: stateOf(invitation),
  link: invitations.linkOf(invitation),
  uri: invitations.uriOf(invitation),
});

/** A line for people. */
function invitationLine(one: ReturnType<typeof invitationData>): string {
  const { state, link, kind, username, inviter, expiresAt, usedBy } = one;
  const what = username ?? kind;
  const fate = state === "used" ? `used by ${usedBy}` : `${state}, ${formatDateTime(expiresAt)}`;
  return `${link}  ${what}${inviter === null ? "" : ` from ${inviter}`}  ${fate}`;
}
