/** XEP-0402: PEP Native Bookmarks, in step with those of XEP-0048 in their own node and in private storage. */
import { Bookmarks } from "../domain/bookmarks.ts";
import { NS } from "../xmpp/ns.ts";
import { defineModule, type ModuleContext } from "./context.ts";

const all = new WeakMap<ModuleContext, Bookmarks>();

/** The bookmarks of a node's accounts; one for all of its modules. */
export function bookmarksOf(context: ModuleContext): Bookmarks {
  const bookmarks = all.get(context) ?? new Bookmarks(context);
  all.set(context, bookmarks);
  return bookmarks;
}

export default defineModule({
  name: "bookmarks",
  xeps: ["0048", "0402"],
  features: { account: [`${NS.bookmarks}#compat`, `${NS.bookmarks}#compat-pep`] },
  setup: (context) => {
    const bookmarks = bookmarksOf(context);
    return {
      events: {
        "pubsub.published": async ({ items }) => {
          for (const item of items) await bookmarks.told(item);
        },
        "pubsub.retracted": ({ node }) => bookmarks.told(node),
        "pubsub.purged": ({ node }) => bookmarks.told(node),
        "pubsub.deleted": ({ node }) => bookmarks.told(node),
      },
    };
  },
});
