/** Somebody who is logged in: a client of one account on the stage. */
import assert from "node:assert";
import type { Socket } from "node:net";
import { NS } from "../../src/xmpp/ns.ts";
import { pretty } from "./shape.ts";
import { ClientStream, type StreamOptions } from "./stream.ts";

/** Who somebody is, and how they log in. */
export interface Role {
  readonly password?: string;
  readonly resource?: string;
  readonly admin?: boolean;
  /** Whether initial presence is sent at login (default: yes). */
  readonly presence?: boolean;
  /** Direct TLS unless it says otherwise. */
  readonly tls?: "direct" | "starttls";
}

export class Actor extends ClientStream {
  /** The bare JID. */
  readonly bare: string;
  /** The full JID. */
  full = "";
  readonly #settle: () => Promise<void>;

  constructor(socket: Socket, options: StreamOptions, bare: string, settle: () => Promise<void>) {
    super(socket, options);
    this.bare = bare;
    this.#settle = settle;
  }

  /** From the first byte to the bound resource. */
  async logsIn(role: Required<Pick<Role, "password" | "resource">> & Role): Promise<void> {
    await this.opens();
    if (role.tls === "starttls") {
      await this.receives("<stream:features/>");
      await this.secures();
      await this.opens();
    }
    await this.receives("<stream:features/>");
    await this.authenticates(this.bare.slice(0, this.bare.indexOf("@")), role.password);
    this.full = await this.binds(role.resource);
  }

  /** A round trip: when it is over, the server has handled all that this client sent. */
  async pings(): Promise<void> {
    await this.asks(`<iq type='get' to='${this.domain}'><ping xmlns='${NS.ping}'/></iq>`);
  }

  /**
   * Nothing is in the inbox, and nothing is on its way: everybody's stanzas have been handled, who listens to events
   * is through, and what they sent has been received.
   */
  async receivesNothing(): Promise<void> {
    await this.#settle();
    const came = this.inbox.map((one) => pretty(one, "  ")).join("\n");
    assert.equal(came, "", `${this.full} should have received nothing`);
  }
}
