/** The client's side of SASL, written from RFC 5802 and 4616 alone; it shares nothing with the server's. */
import { createHash, createHmac, pbkdf2Sync, randomBytes, X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { NS } from "../../src/xmpp/ns.ts";
import { attr, children, type Element } from "../../src/xmpp/xml.ts";
import type { ClientStream } from "./stream.ts";

export type BindingType = "tls-exporter" | "tls-unique" | "tls-server-end-point";

export interface Credentials {
  readonly username: string;
  readonly password: string;
  readonly authzid?: string;
}

export interface ScramSettings extends Credentials {
  /** `SCRAM-SHA-256-PLUS` or the like. */
  readonly mechanism: string;
  /** What a -PLUS mechanism binds to. */
  readonly binding?: { readonly type: string; readonly data: Buffer };
  /** The flag of a mechanism without binding: `n`, or `y` by default when the client could have bound. */
  readonly flag?: "n" | "y";
  /** For the vectors of the RFCs. */
  readonly nonce?: string;
}

/** One SCRAM login: messages as text, not encoded. */
export class ScramClient {
  readonly #settings: ScramSettings;
  readonly #digest: string;
  readonly #header: string;
  readonly #bare: string;
  #serverSignature: Buffer | undefined;

  constructor(settings: ScramSettings) {
    const { mechanism, binding, flag = "n", authzid, username } = settings;
    this.#settings = settings;
    this.#digest = /SHA-\d+/.exec(mechanism)![0].replace("-", "").toLowerCase();
    const name = (value: string) => value.replace(/=/g, "=3D").replace(/,/g, "=2C");
    const asked = authzid === undefined ? "" : `a=${name(authzid)}`;
    this.#header = `${binding ? `p=${binding.type}` : flag},${asked},`;
    this.#bare = `n=${name(username)},r=${settings.nonce ?? randomBytes(18).toString("base64")}`;
  }

  first(): string {
    return this.#header + this.#bare;
  }

  final(challenge: string): string {
    const { nonce, salt, rounds } =
      /^r=(?<nonce>[^,]+),s=(?<salt>[^,]+),i=(?<rounds>\d+)(?:,[a-z]=[^,]+)*$/.exec(challenge)!.groups as {
        nonce: string;
        salt: string;
        rounds: string;
      };
    const length = createHash(this.#digest).digest().length;
    const salted = pbkdf2Sync(
      this.#settings.password.normalize("NFKC"),
      Buffer.from(salt, "base64"),
      Number(rounds),
      length,
      this.#digest,
    );
    const hmac = (key: Buffer, text: string) => createHmac(this.#digest, key).update(text).digest();
    const clientKey = hmac(salted, "Client Key");
    const storedKey = createHash(this.#digest).update(clientKey).digest();
    const { binding } = this.#settings;
    const bound = Buffer.concat([Buffer.from(this.#header), binding?.data ?? Buffer.alloc(0)]);
    const withoutProof = `c=${bound.toString("base64")},r=${nonce}`;
    const authMessage = `${this.#bare},${challenge},${withoutProof}`;
    this.#serverSignature = hmac(hmac(salted, "Server Key"), authMessage);
    const signature = hmac(storedKey, authMessage);
    const proof = Buffer.from(clientKey.map((byte, at) => byte ^ signature[at]!));
    return `${withoutProof},p=${proof.toString("base64")}`;
  }

  /** Whether the server has shown that it knows the verifier (RFC 5802 §3). */
  verifies(final: string): boolean {
    return this.#serverSignature !== undefined && final === `v=${this.#serverSignature.toString("base64")}`;
  }
}

/** The data of a channel binding on the client's end of a connection (RFC 5929 §4, RFC 9266). */
export function bindingOf(socket: Socket, type: BindingType): { type: BindingType; data: Buffer } {
  if (!(socket instanceof TLSSocket)) throw new Error("not under TLS");
  if (type === "tls-exporter") {
    return { type, data: socket.exportKeyingMaterial(32, "EXPORTER-Channel-Binding", Buffer.alloc(0)) };
  }
  if (type === "tls-unique") {
    return { type, data: (socket.isSessionReused() ? socket.getPeerFinished() : socket.getFinished())! };
  }
  const { raw } = new X509Certificate(socket.getPeerCertificate().raw);
  // The certificates of the tests are signed with SHA-256.
  return { type, data: createHash("sha256").update(raw).digest() };
}

export interface Login extends Credentials {
  /** The strongest that was offered by default. */
  readonly mechanism?: string;
  /** What a -PLUS mechanism binds to; the first that was offered by default. */
  readonly bindTo?: BindingType;
  readonly flag?: "n" | "y";
}

const encode = (text: string | Buffer): string => Buffer.from(text).toString("base64");
const decode = (element: Element): string => Buffer.from(element.getText(), "base64").toString();

/**
 * Authenticates on a stream whose features say how; resolves to the server's last word, `<success/>` or `<failure/>`.
 * Throws where a server claims success and does not prove that it knows the password.
 */
export async function authenticate(stream: ClientStream, features: Element, login: Login): Promise<Element> {
  const mechanism = login.mechanism ?? mechanismsOf(features)[0]!;
  if (mechanism === "PLAIN") {
    const { authzid = "", username, password } = login;
    return ask(stream, auth(mechanism, `${authzid}\0${username}\0${password}`));
  }
  const bindTo = login.bindTo ?? bindingTypesOf(features)[0];
  const binding = mechanism.endsWith("-PLUS") && bindTo ? bindingOf(stream.socket, bindTo) : undefined;
  const scram = new ScramClient({ ...login, mechanism, ...(binding && { binding }) });
  const challenge = await ask(stream, auth(mechanism, scram.first()));
  if (challenge.name !== "challenge") return challenge;
  const outcome = await ask(stream, response(scram.final(decode(challenge))));
  if (outcome.name === "success" && !scram.verifies(decode(outcome)))
    throw new Error("the server does not know the verifier");
  return outcome;
}

export const mechanismsOf = (features: Element): string[] => listed(features, "mechanisms", NS.sasl);

export const bindingTypesOf = (features: Element): BindingType[] =>
  children(features)
    .filter(({ name }) => name === "sasl-channel-binding")
    .flatMap((list) => children(list).map((one) => attr(one, "type") as BindingType));

/** `<auth/>` with an initial response, where there is one. */
export const auth = (mechanism: string, initial?: string): string =>
  `<auth xmlns='${NS.sasl}' mechanism='${mechanism}'>${initial === undefined ? "" : encode(initial)}</auth>`;

export const response = (message: string): string =>
  `<response xmlns='${NS.sasl}'>${encode(message)}</response>`;

/** Writes, and waits for what comes next. */
async function ask(stream: ClientStream, xml: string): Promise<Element> {
  stream.raw(xml);
  return stream.receivesNext();
}

const listed = (features: Element, name: string, xmlns: string): string[] =>
  children(features)
    .filter((one) => one.name === name && attr(one, "xmlns") === xmlns)
    .flatMap((list) => children(list).map((one) => one.getText()));
