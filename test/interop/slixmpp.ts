/** slixmpp as an actor: the Python program beside this file, one client a process. */
import { ClientActor, pythonClient } from "./client-actor.ts";

export interface SlixmppOptions {
  readonly jid: string;
  readonly password: string;
  /** The server's address; loopback, where it is left out. */
  readonly host?: string;
  readonly port: number;
  readonly security: "starttls" | "direct";
  /** PEM file of the certificate to trust. */
  readonly ca: string;
  /** The only SASL mechanism to try; without it, slixmpp's own choice. */
  readonly mechanism?: string;
  /** Nodes asked for with `+notify`. */
  readonly interests?: readonly string[];
  readonly resource?: string;
  /** It comes back by itself, with stream management (XEP-0198). */
  readonly resumes?: boolean;
  /** It makes its account before it logs in (XEP-0077), with an invitation where it has a token (XEP-0445). */
  readonly registers?: boolean;
  readonly token?: string;
  /** It sends no presence of its own accord. */
  readonly quiet?: boolean;
}

export class SlixmppActor extends ClientActor {
  constructor({ jid, resource, ...options }: SlixmppOptions) {
    const login = { host: "127.0.0.1", ...options, jid: resource === undefined ? jid : `${jid}/${resource}` };
    super(jid, pythonClient("slixmpp_actor.py", login));
  }
}
