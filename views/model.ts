/** What the pages are made from: plain data, ready to show. Every `href` is a path on this site unless it says otherwise. */

export interface Site {
  /** The domain; it is the name of the site as well. */
  readonly name: string;
  /** The files of `static/` by their plain names, at addresses that change with their content. */
  readonly asset: Readonly<
    Record<"site.css" | "posts.css" | "forms.css" | "bird.svg" | "icon-180.png", string>
  >;
}

/** Addresses of the three feeds of one list of posts. */
export interface Feeds {
  readonly title: string;
  readonly atom: string;
  readonly rss: string;
  readonly json: string;
}

/** What stands in the head of a page, for machines. Its addresses are absolute. */
export interface Head {
  readonly title: string;
  readonly description: string;
  /** What the page needs beside the style of all. */
  readonly stylesheet?: "forms.css";
  /** Missing on pages that are at no address of their own, such as errors. */
  readonly canonical?: string;
  readonly feeds?: Feeds;
  /** The same thing over XMPP (RFC 5122). */
  readonly xmpp?: string;
  /** The pages of the list beside this one. */
  readonly previous?: string;
  readonly next?: string;
  /** OpenGraph's type with its own properties. */
  readonly og?: readonly (readonly [property: string, content: string])[];
  /** A schema.org description. */
  readonly json?: Readonly<Record<string, unknown>>;
}

export interface Person {
  readonly name: string;
  /** The bare JID. */
  readonly address: string;
  readonly href: string;
  readonly avatar: string;
  readonly feeds: Feeds;
  /** `xmpp:` addresses: to write to the person, and to subscribe to their posts. */
  readonly chat: string;
  readonly subscribe: string;
}

export interface Moment {
  readonly iso: string;
  /** Day, time and zone in full. */
  readonly full: string;
  /** As people say it: "5 minutes ago", "12 August". */
  readonly short: string;
}

export interface Tag {
  readonly name: string;
  readonly href: string;
}

export interface PostView {
  readonly href: string;
  readonly author: Person;
  /** A heading of its own; short notes have none. */
  readonly title: string | undefined;
  /** Clean HTML; only the beginning of a long post where `excerpt` is set. */
  readonly html: string;
  readonly excerpt: boolean;
  readonly language: string | undefined;
  /** Those that the text does not link itself. */
  readonly tags: readonly Tag[];
  readonly published: Moment;
  /** Set where the post was edited after it was published. */
  readonly edited: Moment | undefined;
}

/** One page of a list of posts, newest first. */
export interface PostPage {
  readonly posts: readonly PostView[];
  readonly newer: string | undefined;
  readonly older: string | undefined;
}

/** The form that makes an account. */
export interface AccountForm {
  readonly action: string;
  readonly domain: string;
  /** What was typed before, or the name that is settled. */
  readonly username: string;
  readonly isNamed: boolean;
  /** Why it was not taken, and which field is to blame, if it is one. */
  readonly problem: { readonly text: string; readonly field?: "username" | "password" | "again" } | undefined;
}

/** A chat app; its `href` is on another site. */
export interface App {
  readonly name: string;
  readonly href: string;
  readonly runsOn: string;
}

export interface QrCode {
  /** In modules, without a margin. */
  readonly size: number;
  /** The dark ones, as a path of SVG. */
  readonly path: string;
}

export interface InvitationView {
  readonly heading: string;
  readonly inviter: Person | undefined;
  /** `xmpp:` address. */
  readonly uri: string;
  readonly qr: QrCode;
  readonly until: Moment;
  readonly apps: readonly App[];
}
