/** Lists of posts as requests name them, and what has happened to them. */
import type { Context } from "hono";
import type { Accounts } from "../domain/accounts.ts";
import type { Posts } from "../domain/posts.ts";
import type { Listing } from "./addresses.ts";

export interface FoundListing {
  readonly listing: Listing;
  /** The validators' truth: it counts edits and deletions as well. */
  readonly changes: number;
  readonly changedAt: Date;
}

export class Listings {
  readonly #accounts: Accounts;
  readonly #posts: Posts;

  constructor(accounts: Accounts, posts: Posts) {
    this.#accounts = accounts;
    this.#posts = posts;
  }

  /** The list of the parameters `person` and `tag`; `undefined` where there is no such person, or never was such a tag. */
  async find(c: Context): Promise<FoundListing | undefined> {
    const { person, tag } = c.req.param() as { person?: string; tag?: string };
    const account = person === undefined ? undefined : await this.#accounts.find(person.slice(1));
    if (person !== undefined && !account) return undefined;
    return this.state({ ...(account && { author: account.jid }), ...(tag !== undefined && { tag }) });
  }

  async state(listing: Listing): Promise<FoundListing | undefined> {
    const state = await this.#posts.feedState(listing);
    if (state) return { listing, ...state };
    if (listing.tag !== undefined) return undefined;
    // Nothing was ever written: the list is as old as the people are.
    const people = await this.#accounts.list();
    const whose = people.filter(({ jid }) => listing.author === undefined || jid === listing.author);
    const changedAt = new Date(Math.max(0, ...whose.map(({ createdAt }) => createdAt.getTime())));
    return { listing, changes: 0, changedAt };
  }
}
