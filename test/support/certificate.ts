/** The certificate of a test process: made once, at run time, so that no key is ever in the repository. */
import { generate } from "selfsigned";

export interface Certificate {
  /** PEM. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
}

const made = new Map<string, Promise<Certificate>>();

/** The self-signed certificate for a domain, everything under it, `localhost` and the loopback addresses. */
export function certificateFor(domain: string): Promise<Certificate> {
  let certificate = made.get(domain);
  if (!certificate) made.set(domain, (certificate = make(domain)));
  return certificate;
}

async function make(domain: string): Promise<Certificate> {
  const { cert, private: key } = await generate([{ name: "commonName", value: domain }], {
    keyType: "ec",
    algorithm: "sha256",
    extensions: [
      { name: "basicConstraints", cA: true },
      {
        name: "subjectAltName",
        altNames: [
          ...[domain, `*.${domain}`, "localhost"].map((value) => ({ type: 2 as const, value })),
          ...["127.0.0.1", "::1"].map((ip) => ({ type: 7 as const, ip })),
        ],
      },
    ],
  });
  return { cert, key };
}
