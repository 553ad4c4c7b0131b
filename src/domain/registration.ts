/** Who may make an account of their own, by whatever way they come: XEP-0077 or a page. */
import type { Config } from "../config.ts";
import type { Logger } from "../log.ts";
import { StanzaError } from "../xmpp/errors.ts";
import type { Account, Accounts } from "./accounts.ts";
import { stateOf, type Invitation, type Invitations } from "./invitations.ts";

/** What strangers cost, by the network that they come from. */
export interface RegistrationThrottle {
  /** Throws `StanzaError` where that network has to wait. */
  check(address: string): void;
  count(address: string): void;
}

/** Somebody who may make an account, once. */
export interface Admission {
  /** The only name that it can have, where that is settled. */
  readonly username: string | null;
  /**
   * Makes the account. `conflict` where the name is taken, `not-acceptable` where it or the password cannot be one,
   * `not-allowed` where the invitation is no longer good.
   */
  register(username: string, password: string): Promise<Account>;
}

export interface RegistrationOptions {
  readonly config: Pick<Config, "registration">;
  readonly accounts: Accounts;
  readonly invitations: Invitations;
  readonly throttle: RegistrationThrottle;
  readonly log: Logger;
}

export class Registration {
  readonly #options: RegistrationOptions;

  constructor(options: RegistrationOptions) {
    this.#options = options;
  }

  /** Whether anybody may. */
  get isOpen(): boolean {
    return this.#options.config.registration.open;
  }

  /** Whether somebody who was invited may. */
  awaitsInvited(): Promise<boolean> {
    return this.#options.invitations.areOut();
  }

  /** Lets in whoever comes; `not-allowed` where registration is closed. */
  open(address: string): Admission {
    if (!this.isOpen) throw new StanzaError("not-allowed", { text: "Accounts are made by invitation only" });
    return { username: null, register: (name, password) => this.#register(name, password, address) };
  }

  /** Lets in who brings the token of an invitation; `item-not-found` where it is no longer good. */
  async invited(token: string, address: string): Promise<Admission> {
    const invitation = await this.#options.invitations.find(token);
    if (!invitation?.registers || stateOf(invitation) !== "open") {
      this.#options.throttle.count(address);
      throw new StanzaError("item-not-found", {
        text: "The invitation is not known here, was used or has expired",
      });
    }
    return this.admit(invitation, address);
  }

  /** Lets in who was invited, also if the invitation expires before they have filled in the form (XEP-0445 §4). */
  admit(invitation: Invitation, address: string): Admission {
    const { username } = invitation;
    return { username, register: (name, password) => this.#register(name, password, address, invitation) };
  }

  async #register(
    username: string,
    password: string,
    address: string,
    invitation?: Invitation,
  ): Promise<Account> {
    const { accounts, invitations, throttle, log } = this.#options;
    // A network full of strangers does not keep out those whom somebody knows.
    if (!invitation) throttle.check(address);
    try {
      const jid = invitations.addressOf(username);
      if (invitation?.username && invitation.username !== jid.local)
        throw new StanzaError("not-acceptable", { text: `The invitation is for "${invitation.username}"` });
      const account = await accounts.add(jid, password, {
        ...(invitation && { also: (tx) => invitations.spend(tx, invitation, jid) }),
      });
      log.info({ jid: jid.bare, address, inviter: invitation?.inviter }, "registered");
      if (!invitation) throttle.count(address);
      return account;
    } catch (error) {
      throttle.count(address);
      throw error;
    }
  }
}
