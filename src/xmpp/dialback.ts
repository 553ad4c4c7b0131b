/** XEP-0220 §2.1.1, XEP-0185: the keys of server dialback. */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";

/** What a key stands for: one pair of domains on one stream. */
export interface DialbackScope {
  /** Known to everything that answers for the originating domain, and to nobody else. */
  readonly secret: string;
  /** The domain that is spoken to. */
  readonly receiving: string;
  /** The domain that wants to speak. */
  readonly originating: string;
  /** The id that the receiving server gave the stream. */
  readonly streamId: string;
}

/** The key in hexadecimal (XEP-0185 §2). */
export function dialbackKey({ secret, receiving, originating, streamId }: DialbackScope): string {
  // The hash of the secret keys the HMAC in its hexadecimal form: "output … in the hexadecimal representation".
  const hashed = createHash("sha256").update(secret).digest("hex");
  return createHmac("sha256", hashed).update(`${receiving} ${originating} ${streamId}`).digest("hex");
}

/** Whether a key that came back is the one that was made for this; how long that takes tells nothing about it. */
export function isDialbackKey(key: string, scope: DialbackScope): boolean {
  const received = Buffer.from(key.trim());
  const expected = Buffer.from(dialbackKey(scope));
  return received.length === expected.length && timingSafeEqual(received, expected);
}
