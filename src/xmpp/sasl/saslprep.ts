/**
 * RFC 4013: user names and passwords in comparable form. Simplified: the mapping, NFKC and the prohibited characters
 * by today's Unicode. Unassigned code points of Unicode 3.2 (every emoji) and mixed writing directions are let pass:
 * whoever types the same password again gets the same bytes, and refusing it would lock people out.
 */

/** RFC 3454 B.1: commonly mapped to nothing. */
const nothing = /[\u00ad\u034f\u1806\u180b-\u180d\u200b-\u200d\u2060\ufe00-\ufe0f\ufeff]/g;
/** C.1.2: spaces other than the ASCII one. */
const spaces = /[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/g;
/** C.2 control, C.3 private use, C.4 non-characters, C.5 surrogates, C.6–C.9 unfit for plain text. */
const prohibited =
  /[\p{Cc}\p{Co}\p{Cs}\p{Noncharacter_Code_Point}\u06dd\u070f\u180e\u2028\u2029\u2061-\u2063\u206a-\u206f\ufff9-\ufffd\u2ff0-\u2ffb\u0340\u0341\u200e\u200f\u202a-\u202e\u{1d173}-\u{1d17a}\u{e0001}\u{e0020}-\u{e007f}]/u;

/** In UTF-16 units: longer than any name or password, and not so long that strangers could keep us composing marks. */
const maxLength = 1_024;

/** The prepared string; `undefined` where it is empty, too long, or holds what is prohibited. */
export function saslprep(value: string): string | undefined {
  if (value.length > maxLength) return undefined;
  const prepared = value.replace(spaces, " ").replace(nothing, "").normalize("NFKC");
  return prepared === "" || prohibited.test(prepared) ? undefined : prepared;
}
