/** Posts of several people, or of one about one thing: the public timeline and the tag pages. */
import { FeedList } from "./follow.tsx";
import { Layout } from "./layout.tsx";
import type { Feeds, Head, Person, PostPage, Site } from "./model.ts";
import { Posts } from "./post.tsx";

interface TimelineProps {
  readonly site: Site;
  readonly head: Head;
  readonly heading: string;
  /** A line under the heading, with the way to a wider list. */
  readonly about: { readonly text: string; readonly link?: { readonly text: string; readonly href: string } };
  readonly feeds: Feeds;
  readonly people: readonly Person[];
  readonly byline: boolean;
  readonly page: PostPage;
}

export const TimelinePage = ({ site, head, heading, about, feeds, people, byline, page }: TimelineProps) => (
  <Layout site={site} head={head}>
    <div class="columns">
      <main id="main" class="h-feed">
        <header class="list-head">
          <h1 class="p-name" dir="auto">
            {heading}
          </h1>
          <p>
            {about.text} {about.link && <a href={about.link.href}>{about.link.text}</a>}
          </p>
        </header>
        {page.posts.length > 0 ? (
          <Posts page={page} byline={byline} />
        ) : (
          <div class="empty">
            <h2>Nothing here yet</h2>
            <p>The first post will show up on this page as soon as it is written.</p>
          </div>
        )}
      </main>
      <aside class="follow" aria-labelledby="follow-heading">
        {people.length > 0 && (
          <>
            <h2>People here</h2>
            <ul class="people">
              {people.map((person) => (
                <li>
                  <a href={person.href}>
                    <img src={person.avatar} alt="" width="28" height="28" />
                    <span dir="auto">{person.name}</span>
                  </a>
                </li>
              ))}
            </ul>
          </>
        )}
        <h2 id="follow-heading">Follow this page</h2>
        <p>Give your feed reader the address of this page, or pick a feed:</p>
        <FeedList feeds={feeds} />
      </aside>
    </div>
  </Layout>
);
