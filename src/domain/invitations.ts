/** XEP-0401: who invites whom to be a contact, or to have an account here. Whoever has the token has the invitation. */
import { randomBytes } from "node:crypto";
import type { Config } from "../config.ts";
import { invitationStore, type InvitationKind, type InvitationRow } from "../store/invitations.ts";
import type { Store } from "../store/store.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { Jid, prepareLocal } from "../xmpp/jid.ts";
import { jidUri } from "../xmpp/uri.ts";
import type { Accounts } from "./accounts.ts";
import type { Rosters } from "./rosters.ts";

/** XEP-0379 §6.1 asks for 80 bits at least. */
const tokenBits = 128;
const day = 86_400_000;
/** XEP-0379 §6.2: time to react, such as a week. */
const defaultDays = 7;
const maxDays = 365;
/** How long one that is over is remembered, so that who comes too late is told so. In milliseconds. */
const remembered = 30 * day;
/** One person's in the last seven days: a party for somebody, and for an administrator a school. */
const maxOfPerson = 20;
const maxOfAdmin = 1_000;

/** `inviter` is bare, and `null` for whoever runs the node. `registers`: an account can be made; `befriends`: both become contacts. */
export type Invitation = InvitationRow;
export type InvitationState = "open" | "used" | "expired";

export interface InvitationRequest {
  /** Without one, whoever runs the node invites. */
  readonly inviter?: Jid | undefined;
  /** To become a contact (§4.1), or to make an account (§4.4). */
  readonly kind: InvitationKind;
  /** Of an account: whether both become contacts. */
  readonly befriends?: boolean | undefined;
  /** The only name that the account can have, which is kept meanwhile. */
  readonly username?: string | undefined;
  readonly days?: number | undefined;
}

export interface InvitationsOptions {
  readonly config: Pick<Config, "domain" | "url" | "registration">;
  readonly store: Store;
  readonly accounts: Accounts;
  readonly rosters: Rosters;
}

export class Invitations {
  readonly #config: InvitationsOptions["config"];
  readonly #store: Store;
  readonly #rows: ReturnType<typeof invitationStore>;
  readonly #accounts: Accounts;
  readonly #rosters: Rosters;

  constructor({ config, store, accounts, rosters }: InvitationsOptions) {
    this.#config = config;
    this.#store = store;
    this.#rows = invitationStore(store);
    this.#accounts = accounts;
    this.#rosters = rosters;
  }

  /** Whether an account here may invite others to make one; without a name, whoever runs the node. */
  async mayGiveAccounts(inviter: string | undefined): Promise<boolean> {
    const { invitations } = this.#config.registration;
    if (invitations === false) return false;
    if (inviter === undefined) return true;
    const account = await this.#accounts.find(inviter);
    return account?.disabled === false && (invitations === "everybody" || account.admin);
  }

  /**
   * Makes an invitation. `not-allowed` where accounts are not this inviter's to give, `resource-constraint` where they
   * invite too many, `conflict` and `not-acceptable` for the name as from `Accounts.add`.
   */
  async create(request: InvitationRequest): Promise<Invitation> {
    const { inviter, kind, days = defaultDays } = request;
    if (!(days > 0 && days <= maxDays))
      throw new StanzaError("not-acceptable", { text: `An invitation is good for 1 to ${maxDays} days` });
    const registers = await this.mayGiveAccounts(inviter?.local);
    if (kind === "account" && !registers)
      throw new StanzaError("not-allowed", { text: "Accounts are not yours to give here" });
    const createdAt = new Date();
    const invitation: Invitation = {
      token: newToken(),
      inviter: inviter?.bare ?? null,
      kind,
      registers,
      befriends: inviter !== undefined && (kind === "contact" || request.befriends === true),
      username: request.username || null,
      createdAt,
      expiresAt: new Date(createdAt.getTime() + days * day),
      usedAt: null,
      usedBy: null,
    };
    return this.#store.transaction((tx) => this.#add(tx, invitation));
  }

  async #add(tx: Store, invitation: Invitation): Promise<Invitation> {
    const rows = invitationStore(tx);
    const { inviter, createdAt } = invitation;
    await rows.forget(new Date(createdAt.getTime() - remembered));
    if (inviter !== null) await this.#mayInviteMore(rows, inviter, createdAt);
    if (invitation.username === null) {
      await rows.add(invitation);
      return invitation;
    }
    const jid = this.addressOf(invitation.username);
    await this.#accounts.mustBeFree(jid, tx);
    const named = { ...invitation, username: jid.local };
    await rows.add(named);
    return named;
  }

  async #mayInviteMore(rows: ReturnType<typeof invitationStore>, inviter: string, now: Date): Promise<void> {
    const account = await this.#accounts.find(localOf(inviter));
    if (!account) throw new StanzaError("item-not-found", { text: `There is no account ${inviter}` });
    const most = account.admin ? maxOfAdmin : maxOfPerson;
    const made = await rows.countSince(inviter, new Date(now.getTime() - defaultDays * day));
    if (made < most) return;
    throw new StanzaError("resource-constraint", {
      text: `That were ${most} invitations in ${defaultDays} days already`,
    });
  }

  /** The invitation of that token, as its inviter could give it now. */
  async find(token: string): Promise<Invitation | undefined> {
    const row = await this.#rows.find(token);
    if (!row) return undefined;
    const inviter = row.inviter === null ? undefined : localOf(row.inviter);
    if (inviter !== undefined && !(await this.#accounts.admits(inviter))) return undefined;
    if (!row.registers || (await this.mayGiveAccounts(inviter))) return row;
    return row.kind === "contact" ? { ...row, registers: false } : undefined;
  }

  /** Whether somebody may come with an invitation and make an account. */
  async areOut(): Promise<boolean> {
    if (this.#config.registration.invitations === false) return false;
    return (await this.#rows.lastExpiry(new Date())) !== undefined;
  }

  /** One person's, by their bare address, or all; the newest first. */
  list(inviter?: string): Promise<Invitation[]> {
    return this.#rows.list(inviter);
  }

  /** Takes one back that nobody has used: anybody's, or of one person. `item-not-found` where there is no such one. */
  async revoke(token: string, inviter?: string): Promise<void> {
    const isGone = await this.#store.transaction((tx) => invitationStore(tx).revoke(token, inviter));
    if (!isGone)
      throw new StanzaError("item-not-found", { text: "There is no such invitation, or it was used" });
  }

  /**
   * Uses one for a new account, in the transaction that makes it; what it returns is to be called at once behind the
   * commit. `not-allowed` where somebody else used it meanwhile, or it was taken back.
   */
  async spend(tx: Store, { token, inviter, befriends }: Invitation, account: Jid): Promise<() => void> {
    if (!(await invitationStore(tx).spend(token, account.bare, new Date())))
      throw new StanzaError("not-allowed", { text: "The invitation was used meanwhile, or taken back" });
    return befriends && inviter !== null
      ? this.#rosters.befriend(tx, inviter, account.bare)
      : () => undefined;
  }

  /** Uses one to become a contact of who invited (XEP-0379 §3.5); `false` where that is not what it is for. */
  async accept(token: string, inviter: string, contact: Jid): Promise<boolean> {
    const invitation = await this.find(token);
    if (invitation?.kind !== "contact" || invitation.inviter !== inviter) return false;
    if (stateOf(invitation) !== "open") return false;
    return this.#store.transaction((tx) => invitationStore(tx).spend(token, contact.bare, new Date()));
  }

  /** Forgets what somebody gave who is no more. */
  clear(account: string): Promise<void> {
    return this.#store.transaction((tx) => invitationStore(tx).clear(account));
  }

  /** The address that a name would make; `not-acceptable` where it makes none. */
  addressOf(username: string): Jid {
    const local = prepareLocal(username.trim());
    if (local !== undefined) return new Jid(local, this.#config.domain, "");
    throw new StanzaError("not-acceptable", {
      text: "This cannot be a name: use letters, digits, dots and dashes",
    });
  }

  /** XEP-0401 §4.1 and §4.4, for apps. */
  uriOf({ token, kind, inviter, registers, username }: Invitation): string {
    const { domain } = this.#config;
    if (kind === "contact") return `${jidUri(inviter!)}?roster;preauth=${token}${registers ? ";ibr=y" : ""}`;
    return `${jidUri(username === null ? domain : `${username}@${domain}`)}?register;preauth=${token}`;
  }

  /** The page of it, for people. */
  linkOf({ token }: Invitation): string {
    return `${this.#config.url}${invitationPath(token)}`;
  }
}

/** Where the page of an invitation is. */
export const invitationPath = (token: string): string => `/invite/${token}`;

export function stateOf({ usedAt, expiresAt }: Invitation, now = new Date()): InvitationState {
  if (usedAt) return "used";
  return expiresAt > now ? "open" : "expired";
}

/** Letters and digits alone (XEP-0401 §4.1), as long as the largest number of so many bits. */
function newToken(): string {
  const number = BigInt(`0x${randomBytes(tokenBits / 8).toString("hex")}`);
  return number.toString(36).padStart((2n ** BigInt(tokenBits)).toString(36).length, "0");
}

const localOf = (bare: string): string => bare.slice(0, bare.lastIndexOf("@"));
