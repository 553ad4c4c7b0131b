/**
 * XEP-0484: the tokens of people's clients. A proof is keyed with the token itself (HMAC), and whatever could be kept
 * in its place, such as the state of the hash behind the key, would open the account just as well. So it is kept as it
 * is: it is random, and good for one client, one mechanism and some weeks, and for nothing else anywhere.
 */
import { randomBytes } from "node:crypto";
import { tokenStore, type TokenRow } from "../store/tokens.ts";
import type { Store } from "../store/store.ts";

/** RFC 4086 §8.2 asks for 128 bits of a key for years; these are twice as many. */
const tokenBytes = 32;
/** A token that is older is replaced when it is used: who copied an old one has little of it. In milliseconds. */
const rotationAge = 86_400_000;

export const dayMs = 86_400_000;

/** Whose token it is. */
export interface Holder {
  readonly account: string;
  readonly client: string;
}

export interface Use {
  readonly mechanism: string;
  readonly count?: number | undefined;
  readonly invalidate: boolean;
}

export interface Used {
  readonly token: string;
  readonly mechanism: string;
  readonly isExpired: boolean;
  /** It is time for a new one. */
  readonly isOld: boolean;
}

export interface Issued {
  readonly token: string;
  readonly expiry: Date;
}

/** Finds the token that fits and takes it for used, inside a transaction; `undefined`: there is none such. */
export async function useToken(
  tx: Store,
  holder: Holder,
  { mechanism, count, invalidate }: Use,
  fits: (token: string) => boolean,
): Promise<Used | undefined> {
  const rows = tokenStore(tx);
  const all = await rows.tokens(holder.account, holder.client);
  // §3.4: good for the mechanism that it was asked for, or a weaker one could be put in its place.
  const row = all.find((one) => fits(one.token) && one.mechanism === mechanism);
  if (!row) return undefined;
  const now = Date.now();
  const isExpired = row.expiresAt.getTime() <= now;
  const isOld = !invalidate && row.issuedAt.getTime() <= now - rotationAge;
  const used = { token: row.token, mechanism, isExpired, isOld };
  if (isExpired) return used;
  // §3.4: who repeats what a client has said is not that client.
  if (count !== undefined && row.count !== null && count <= row.count) return undefined;
  // §3.6: who logs out leaves none behind, whichever of both it was.
  if (invalidate) await rows.removeAll(holder.account, holder.client);
  else {
    await rows.remove(row);
    // §3.5: the one before it is worth nothing from now on.
    await rows.put({ ...row, slot: "current", count: count ?? row.count });
  }
  return used;
}

/** Makes a token, inside a transaction. One that its client was given before and has not used is worth nothing then. */
export async function issueToken(
  tx: Store,
  { account, client }: Holder,
  mechanism: string,
  days: number,
): Promise<Issued> {
  const token = randomBytes(tokenBytes).toString("base64url");
  const issuedAt = new Date();
  const expiry = new Date(issuedAt.getTime() + days * dayMs);
  const row: TokenRow = {
    ...{ account, client, mechanism, token, issuedAt },
    slot: "new",
    count: null,
    expiresAt: expiry,
  };
  await tokenStore(tx).put(row);
  return { token, expiry };
}
