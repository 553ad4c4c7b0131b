/** What a test asks of a server, whoever made it: where it is to live, and where it can be reached. */
import type { TestContext } from "node:test";
import type { Certificate } from "../../support/certificate.ts";

/** How two servers are to speak with each other. Each is set up so that it cannot speak otherwise. */
export interface Mode {
  /** Certificates of an authority that both trust, or dialback because nobody trusts any. */
  readonly proof: "certificate" | "dialback";
  readonly transport: "starttls" | "direct";
  /** Stanzas in both directions on one stream (XEP-0288), and not a stream for each. */
  readonly bidi: boolean;
  readonly family: "IPv4" | "IPv6";
}

/** Everything a server is told. */
export interface Place {
  readonly domain: string;
  /** The loopback address it listens on. */
  readonly host: string;
  /** Where it waits for other servers that use STARTTLS; any free port where it is left out. */
  readonly port?: number;
  /** `address:port` of the DNS server. */
  readonly dns: string;
  readonly mode: Mode;
  readonly certificate: Certificate;
  /** PEM: the authority it trusts. */
  readonly ca: string;
  /** Who has an account, all with the same password. */
  readonly people: readonly string[];
  /** As it comes from Debian, also where tests would rather have it otherwise. */
  readonly stock?: boolean;
}

export interface Server {
  /** Its name in messages of tests. */
  readonly name: string;
  readonly ports: { readonly c2s: number; readonly s2s: number; readonly s2sTls: number };
  /** Whether it asks the test's DNS server for addresses, too. ejabberd asks the C library, which no test can tell. */
  readonly asksForAddresses: boolean;
  /** All that it printed so far. */
  output(): string;
  /** How many streams with the other server were proven so far, whoever began them. */
  streams(): number;
  /** Ends it and waits until it has ended; it keeps what it has, and where it can be reached. */
  stops(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again. */
  starts(): Promise<void>;
}

export type StartServer = (t: TestContext, place: Place) => Promise<Server>;

export const password = "correct horse";
