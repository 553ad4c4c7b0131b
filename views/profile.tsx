/** A person: who they are, what they wrote, how to follow them. */
import { Follow } from "./follow.tsx";
import { Layout } from "./layout.tsx";
import type { Head, Person, PostPage, Site } from "./model.ts";
import { Posts } from "./post.tsx";

interface ProfileProps {
  readonly site: Site;
  readonly head: Head;
  readonly person: Person;
  readonly page: PostPage;
}

export const ProfilePage = ({ site, head, person, page }: ProfileProps) => (
  <Layout site={site} head={head}>
    <div class="columns">
      <main id="main" class="h-feed">
        <header class="person p-author h-card">
          <img class="u-photo" src={person.avatar} alt="" width="80" height="80" />
          <div>
            <h1 class="p-name" dir="auto">
              <a class="u-url u-uid" href={person.href} rel="author">
                {person.name}
              </a>
            </h1>
            <p class="address">
              <a class="u-impp" href={person.chat}>
                {person.address}
              </a>
            </p>
          </div>
          <a class="button to-follow" href="#follow">
            Follow
          </a>
        </header>
        {page.posts.length > 0 ? (
          <Posts page={page} byline={false} />
        ) : (
          <div class="empty">
            <h2>Nothing here yet</h2>
            <p>
              {person.name} has not posted anything so far. Follow along, and you will not miss the first one.
            </p>
          </div>
        )}
      </main>
      <Follow person={person} />
    </div>
  </Layout>
);
