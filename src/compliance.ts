/**
 * What the compliance suites of 2023 ask of servers, and the tests that show it.
 *
 * XEP-0479 §2 without what it asks of clients alone, and without calls. What it only calls "see also", or nothing that
 * a server would have to do (`N/A`, such as host-meta), is no line here; the README tells it among the specifications.
 */
export interface Requirement {
  readonly category: "Core" | "Web" | "IM" | "Mobile";
  /** In the words of the suites. */
  readonly feature: string;
  /** From which level on it is required. */
  readonly level: "Server" | "Advanced Server";
  /** One of the feature's providers: `XEP-0030`, `RFC 6120`. */
  readonly specification: string;
  /** By files in test/protocol, without `.test.ts`: the names of tests, each behind those of what it stands in. */
  readonly shown: Readonly<Record<string, readonly string[]>>;
  /** Why it is not there yet; nothing is shown then. */
  readonly later?: string;
}

const rooms = { shown: {}, later: "with rooms" };

export const compliance: readonly Requirement[] = [
  {
    category: "Core",
    feature: "Core features",
    level: "Server",
    specification: "RFC 6120",
    shown: {
      streams: [
        "the server's header has a fresh id, the domain, the version and a language",
        "binding gives the resource that was asked for, or one of the server's",
      ],
      sasl: ["every mechanism lets in who knows the password, and nobody else"],
      federation: ["a message and its answer cross between two servers"],
    },
  },
  {
    category: "Core",
    feature: "TLS",
    level: "Server",
    specification: "RFC 7590",
    shown: {
      streams: [
        "STARTTLS is required, and says so",
        "TLS is 1.2 at least, does not ask for a certificate and has forward secrecy",
      ],
      "s2s-streams-in": ["a server that connects has to use TLS"],
    },
  },
  {
    category: "Core",
    feature: "Direct TLS",
    level: "Advanced Server",
    specification: "XEP-0368",
    shown: { streams: ["TLS is served with ALPN xmpp-client, and without ALPN"] },
  },
  {
    category: "Core",
    feature: "Feature discovery",
    level: "Server",
    specification: "XEP-0030",
    shown: {
      disco: ["the domain's items are its services, each of which describes itself"],
      "disco-truth": ["what is announced is all that there is, and works"],
    },
  },
  {
    category: "Core",
    feature: "Feature broadcasts",
    level: "Advanced Server",
    specification: "XEP-0115",
    shown: {
      disco: ["the stream features tell the capabilities that disco#info confirms (XEP-0115)"],
      caps: ["a hash is asked for once, whoever shows it"],
    },
  },
  {
    category: "Core",
    feature: "Server Extensibility",
    level: "Server",
    specification: "XEP-0114",
    shown: {
      components: [
        "a component proves its secret and is there",
        "stanzas go both ways, as anybody at the component's domain",
      ],
    },
  },
  {
    category: "Core",
    feature: "Event publishing",
    level: "Advanced Server",
    specification: "XEP-0163",
    shown: {
      pep: [
        "a publish reaches contacts and own resources that want it, and nobody else (§1.2)",
        "the last item comes once, when a resource has come that wants it (§4.3.4)",
      ],
    },
  },
  {
    category: "Web",
    feature: "Web Connection Mechanisms",
    level: "Server",
    specification: "RFC 7395",
    shown: {
      websocket: [
        "the header is <open/>, and what follows stands alone (§3.3.3, §3.4)",
        "who is on a WebSocket and who is on TCP write to each other",
      ],
    },
  },
  {
    category: "Web",
    feature: "Web Connection Mechanisms",
    level: "Server",
    specification: "XEP-0206",
    shown: {
      bosh: [
        "a session begins with what was agreed upon, and the features (0124 §7, 0206 §3)",
        "a client waits on a held request, and what comes is its answer",
      ],
    },
  },
  {
    category: "IM",
    feature: "Core features",
    level: "Server",
    specification: "RFC 6121",
    shown: {
      roster: ["an item is added, changed and removed, and every interested resource is told"],
      subscription: ["a subscription from the request to its end, both ways (§3.1–§3.3)"],
      presence: [
        "initial presence goes to subscribers and own resources, and is asked of contacts (§4.2, §4.3)",
      ],
      delivery: ["the delivery table of RFC 6121 §8.5"],
    },
  },
  {
    category: "IM",
    feature: "User Avatar Compatibility",
    level: "Advanced Server",
    specification: "XEP-0398",
    shown: {
      avatars: [
        "from pubsub to the vCard (XEP-0398 §3.1) the picture is the vCard's photo, beside what else stands there",
        "from the vCard to pubsub (XEP-0398 §3.2) a photo becomes the avatar, and its type is what it is",
      ],
    },
  },
  {
    category: "IM",
    feature: "User Avatar Compatibility",
    level: "Advanced Server",
    specification: "XEP-0153",
    shown: {
      avatars: [
        "in presence (XEP-0398 §4) broadcast and directed: where the client does not say it itself",
        "in presence (XEP-0398 §4) a change is told at once, and that it is gone too; with each login it is there again",
      ],
    },
  },
  {
    category: "IM",
    feature: "vcard-temp",
    level: "Server",
    specification: "XEP-0054",
    shown: {
      vcard: [
        "one's vCard is stored, replaced as a whole, and survives the node",
        "everybody may read a vCard, and nobody but its owner write it",
      ],
    },
  },
  {
    category: "IM",
    feature: "Outbound Message Synchronization",
    level: "Server",
    specification: "XEP-0280",
    shown: {
      carbons: [
        "a client with carbons gets what another client of its account sends and gets, with the account's stanza-id",
        "which messages are copied",
      ],
    },
  },
  {
    category: "IM",
    feature: "User Blocking",
    level: "Advanced Server",
    specification: "XEP-0191",
    shown: {
      blocking: [
        "the list (§3.2–3.5) it is empty, grows, shrinks, and survives the node",
        "what is blocked comes to nobody (§3.3) messages: back to who wrote them, but errors and headlines",
        "what is blocked comes to nobody (§3.3) presence: unseen in both directions, without a word",
      ],
    },
  },
  { category: "IM", feature: "Group Chat", level: "Server", specification: "XEP-0045", ...rooms },
  { category: "IM", feature: "Group Chat", level: "Server", specification: "XEP-0249", ...rooms },
  {
    category: "IM",
    feature: "Advanced Group Chat",
    level: "Advanced Server",
    specification: "XEP-0048",
    shown: {
      bookmarks: [
        "what a client keeps beside a bookmark survives a client that knows the old list alone",
        "whoever moves on and deletes the old list keeps the bookmarks, and all of them go with the account",
      ],
    },
  },
  {
    category: "IM",
    feature: "Advanced Group Chat (the archive of a room)",
    level: "Advanced Server",
    specification: "XEP-0313",
    ...rooms,
  },
  {
    category: "IM",
    feature: "Advanced Group Chat",
    level: "Advanced Server",
    specification: "XEP-0402",
    shown: {
      bookmarks: [
        "what is written in one form is read in all as items",
        "only what has changed is told, and in both forms (§5.3.2)",
      ],
    },
  },
  {
    category: "IM",
    feature: "Advanced Group Chat",
    level: "Advanced Server",
    specification: "XEP-0410",
    ...rooms,
  },
  {
    category: "IM",
    feature: "Persistent Storage of Private Data via PubSub",
    level: "Advanced Server",
    specification: "XEP-0223",
    shown: { "storage-nodes": ["what is private is read and heard by nobody else (XEP-0223)"] },
  },
  {
    category: "IM",
    feature: "Private XML Storage",
    level: "Advanced Server",
    specification: "XEP-0049",
    shown: {
      "private-storage": ["what is stored comes back, by name and namespace, also after a restart"],
    },
  },
  {
    category: "IM",
    feature: "Stream Management",
    level: "Advanced Server",
    specification: "XEP-0198",
    shown: {
      "stream-management": [
        "what the client sent is acknowledged when it is handled, not when it is received",
      ],
      resumption: ["a session is resumed with exactly what its client does not have, in order, and goes on"],
    },
  },
  {
    category: "IM",
    feature: "History Storage / Retrieval",
    level: "Advanced Server",
    specification: "XEP-0313",
    shown: {
      archive: [
        "a message is in the archives of both, once, however many clients get it",
        "a page has fifty messages where nothing is said, and the next one begins behind it",
        "nobody reads the archive of somebody else, or learns whether there is one (§9.1)",
      ],
    },
  },
  {
    category: "IM",
    feature: "File Upload",
    level: "Server",
    specification: "XEP-0363",
    shown: {
      upload: ["the service is found, with its purposes and the largest size (§3, §5)"],
      "upload-http": ["PUT stores the file as it is; a restart does not touch it"],
    },
  },
  {
    category: "Mobile",
    feature: "Stream Management",
    level: "Server",
    specification: "XEP-0198",
    shown: {
      "resumption-presence": [
        "nobody notices that a session rests, or that it is resumed",
        "sessions outlive a restart: those that rested, and those that were connected",
      ],
    },
  },
  {
    category: "Mobile",
    feature: "Client State Indication",
    level: "Server",
    specification: "XEP-0352",
    shown: {
      csi: [
        "while a client is inactive the latest presence of each is kept, as if only that had been sent",
        "a client is active before what it says next is answered (§5.1)",
      ],
    },
  },
  {
    category: "Mobile",
    feature: "Third Party Push Notifications",
    level: "Advanced Server",
    specification: "XEP-0357",
    shown: {
      push: [
        "a push goes out for who is offline, with what the client wanted sent along, and without what was said",
        "a push goes out for a session whose connection is lost, and for what was on its way when it was",
      ],
    },
  },
];
