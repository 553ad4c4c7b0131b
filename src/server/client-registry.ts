/** What the server asks of whoever remembers people's clients: which one it is, and its tokens (XEP-0388, XEP-0484). */
import type { Redeem } from "../xmpp/sasl/ht-exchange.ts";
import type { Authenticated } from "./stream-feature.ts";

/** What a client tells of itself (XEP-0388 §2.3). */
export interface UserAgent {
  /** A UUID of version 4; nobody else is told it. */
  readonly id: string;
  readonly software?: string | undefined;
  readonly device?: string | undefined;
}

/** A token as it is used (XEP-0484 §3.4, §3.6). */
export interface TokenUse {
  readonly mechanism: string;
  /** Greater than at any time before, where it is told. */
  readonly count?: number | undefined;
  /** It is not to be used again. */
  readonly invalidate: boolean;
}

export interface Token {
  readonly token: string;
  readonly expiry: Date;
}

/** One of an account's clients, before and after it is known to be that. */
export interface KnownClient {
  /** Whom sessions are its (`Session.client`). */
  readonly client: string;
  /** Finds tokens of any account's client of that name, for `use`. */
  redeemer(use: TokenUse): Redeem;
  /**
   * It is here: it is remembered, and gets a token for the mechanism it asks for, or in the place of the one that it
   * used where that is old. `undefined`: none. Throws `SaslError` where its password has been changed meanwhile.
   */
  arrived(who: Authenticated, mechanism: string | undefined): Promise<Token | undefined>;
  /** The part of its resource that the server makes (XEP-0386 §3.2.1), always the same. */
  resource(who: Authenticated): Promise<string>;
}

export interface ClientRegistry {
  of(agent: UserAgent): KnownClient;
}
