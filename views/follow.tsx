/** How to follow: from a chat app and from a feed reader. */
import type { Feeds, Person } from "./model.ts";

export const Follow = ({ person }: { readonly person: Person }) => (
  <aside class="follow" id="follow" aria-labelledby="follow-heading">
    <h2 id="follow-heading">Follow {person.name}</h2>
    <h3>From a chat app</h3>
    <p>
      Add <a href={person.chat}>{person.address}</a> as a contact, or subscribe to the posts with an app that
      reads blogs over XMPP, such as Movim or Libervia.
    </p>
    <p>
      <a class="button" href={person.subscribe}>
        Subscribe over XMPP
      </a>
    </p>
    <h3>From a feed reader</h3>
    <p>Give your reader the address of this page, or pick a feed:</p>
    <FeedList feeds={person.feeds} />
  </aside>
);

export const FeedList = ({ feeds }: { readonly feeds: Feeds }) => (
  <ul class="feeds">
    <li>
      <a type="application/atom+xml" href={feeds.atom}>
        Atom
      </a>
    </li>
    <li>
      <a type="application/rss+xml" href={feeds.rss}>
        RSS
      </a>
    </li>
    <li>
      <a type="application/feed+json" href={feeds.json}>
        JSON
      </a>
    </li>
  </ul>
);
