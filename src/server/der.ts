/** X.690: as much of DER as it takes to walk through a certificate or a TLS session. */

export interface DerValue {
  readonly tag: number;
  readonly content: Buffer;
}

/** The values that stand one after the other in `bytes`; throws `RangeError` where they end too early. */
export function* derValues(bytes: Buffer): Generator<DerValue, void> {
  let at = 0;
  while (at < bytes.length) {
    const tag = bytes.readUInt8(at);
    let length = bytes.readUInt8(at + 1);
    at += 2;
    if (length >= 0x80) {
      const octets = length & 0x7f;
      length = bytes.readUIntBE(at, octets);
      at += octets;
    }
    if (at + length > bytes.length) throw new RangeError("a DER value is longer than what holds it");
    yield { tag, content: bytes.subarray(at, at + length) };
    at += length;
  }
}

/** What a constructed value holds. */
export const derChildren = (value: DerValue | undefined): DerValue[] =>
  value ? [...derValues(value.content)] : [];
