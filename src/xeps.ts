/** What a specification is called and how far it is; which ones are implemented, the code says (`doc.ts`). */
export interface Xep {
  readonly title: string;
  /** The version that was read when it was implemented; a module may say another. */
  readonly version: string;
  readonly maturity: "Final" | "Stable" | "Active" | "Proposed" | "Experimental" | "Deferred" | "Deprecated";
  /** What is left out, or where alone it works. */
  readonly note?: string;
}

export const xeps: Readonly<Record<string, Xep>> = {
  "0004": { title: "Data Forms", version: "2.13.2", maturity: "Final" },
  "0012": { title: "Last Activity", version: "2.0", maturity: "Final" },
  "0030": { title: "Service Discovery", version: "2.5.0", maturity: "Final" },
  "0050": { title: "Ad-Hoc Commands", version: "1.3.0", maturity: "Stable", note: "in English" },
  "0048": { title: "Bookmarks", version: "1.2", maturity: "Deprecated" },
  "0049": { title: "Private XML Storage", version: "1.2", maturity: "Active" },
  "0054": { title: "vcard-temp", version: "1.3.0", maturity: "Active" },
  "0059": { title: "Result Set Management", version: "1.0", maturity: "Stable" },
  "0060": {
    title: "Publish-Subscribe",
    version: "1.30.0",
    maturity: "Stable",
    note: "on accounts; no collections, no leases",
  },
  "0068": { title: "Field Standardization for Data Forms", version: "1.3.0", maturity: "Active" },
  "0082": { title: "XMPP Date and Time Profiles", version: "1.1.1", maturity: "Active" },
  "0084": { title: "User Avatar", version: "1.1.4", maturity: "Stable" },
  "0092": { title: "Software Version", version: "1.1", maturity: "Stable" },
  "0114": { title: "Jabber Component Protocol", version: "1.6", maturity: "Active", note: "accept" },
  "0115": { title: "Entity Capabilities", version: "1.6.0", maturity: "Stable" },
  "0124": {
    title: "Bidirectional-streams Over Synchronous HTTP (BOSH)",
    version: "1.11.2",
    maturity: "Stable",
    note: "one stream a session; no keys, no `ack`",
  },
  "0128": { title: "Service Discovery Extensions", version: "1.0.1", maturity: "Active" },
  "0133": {
    title: "Service Administration",
    version: "1.3.1",
    maturity: "Active",
    note: "no rosters, no black- and whitelists",
  },
  "0153": { title: "vCard-Based Avatars", version: "1.1.1", maturity: "Active" },
  "0156": {
    title: "Discovering Alternative XMPP Connection Methods",
    version: "1.4.0",
    maturity: "Stable",
  },
  "0157": { title: "Contact Addresses for XMPP Services", version: "1.1.1", maturity: "Active" },
  "0160": { title: "Best Practices for Handling Offline Messages", version: "1.0.1", maturity: "Active" },
  "0163": { title: "Personal Eventing Protocol", version: "1.2.2", maturity: "Stable" },
  "0178": {
  "0172": { title: "User Nickname", version: "1.1", maturity: "Stable" },
    title: "Best Practices for Use of SASL EXTERNAL with Certificates",
    version: "1.2",
    maturity: "Active",
    note: "between servers",
  },
  "0185": { title: "Dialback Key Generation and Validation", version: "1.0", maturity: "Active" },
  "0198": {
    title: "Stream Management",
    version: "1.6.3",
    maturity: "Stable",
    note: "between servers; no resumption",
  },
  "0191": { title: "Blocking Command", version: "1.3", maturity: "Stable" },
  "0206": { title: "XMPP Over BOSH", version: "1.4", maturity: "Stable" },
  "0199": { title: "XMPP Ping", version: "2.0.1", maturity: "Final" },
  "0202": { title: "Entity Time", version: "2.0", maturity: "Final" },
  "0203": { title: "Delayed Delivery", version: "2.0", maturity: "Final" },
  "0215": {
    title: "External Service Discovery",
    version: "1.0.0",
    maturity: "Stable",
    note: "no pushes",
  },
  "0220": {
    title: "Server Dialback",
    version: "1.1.1",
    maturity: "Stable",
    note: "over TLS; one remote domain a stream that we open",
  },
  "0277": {
  "0222": { title: "Persistent Storage of Public Data via PubSub", version: "1.0", maturity: "Active" },
  "0223": { title: "Persistent Storage of Private Data via PubSub", version: "1.1.1", maturity: "Active" },
    title: "Microblogging over XMPP",
    version: "0.6.5",
    maturity: "Deferred",
    note: "no comments, no repeats",
  },
  "0283": { title: "Moved", version: "0.2.0", maturity: "Experimental" },
  "0288": { title: "Bidirectional Server-to-Server Connections", version: "1.0.1", maturity: "Stable" },
  "0292": {
    title: "vCard4 Over XMPP",
    version: "0.12.0",
    maturity: "Experimental",
    note: "photos are avatars",
  },
  "0308": {
    title: "Last Message Correction",
    version: "1.2.1",
    maturity: "Stable",
    note: "in messages to `timeline@`",
  },
  "0363": { title: "HTTP File Upload", version: "1.2.0", maturity: "Stable" },
  "0368": { title: "SRV records for XMPP over TLS", version: "1.1.0", maturity: "Stable" },
  "0377": { title: "Spam and Abuse Reporting", version: "0.4.1", maturity: "Proposed" },
  "0398": { title: "User Avatar to vCard-Based Avatars Conversion", version: "1.0.0", maturity: "Stable" },
  "0402": { title: "PEP Native Bookmarks", version: "1.2.0", maturity: "Stable" },
  "0424": {
    title: "Message Retraction",
    version: "0.4.2",
    maturity: "Proposed",
    note: "in messages to `timeline@`",
  },
  "0428": {
    title: "Fallback Indication",
    version: "0.2.1",
    maturity: "Experimental",
    note: "in messages to `timeline@`",
  },
  "0440": { title: "SASL Channel-Binding Type Capability", version: "1.0.0", maturity: "Stable" },
  "0472": {
    title: "Pubsub Social Feed",
    version: "0.2.1",
    maturity: "Experimental",
    note: "posts; no attachments, no comments",
  },
  "0478": {
    title: "Stream Limits Advertisement",
    version: "0.2.0",
    maturity: "Experimental",
    note: "between servers",
  },
  "0487": {
    title: "Host Meta 2 - One Method To Rule Them All",
    version: "0.1.0",
    maturity: "Experimental",
    note: "where `addresses` is set",
  },
  "0490": { title: "Message Displayed Synchronization", version: "1.0.1", maturity: "Stable" },
};
