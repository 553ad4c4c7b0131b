/** One post at its own address. */
import { Follow } from "./follow.tsx";
import { Layout } from "./layout.tsx";
import type { Head, PostView, Site } from "./model.ts";
import { WholePost } from "./post.tsx";

interface PermalinkProps {
  readonly site: Site;
  readonly head: Head;
  readonly post: PostView;
}

export const PermalinkPage = ({ site, head, post }: PermalinkProps) => (
  <Layout site={site} head={head}>
    <div class="columns">
      <main id="main">
        <WholePost post={post} />
        <nav class="pager" aria-label="More posts">
          <a href={post.author.href}>← All posts by {post.author.name}</a>
        </nav>
      </main>
      <Follow person={post.author} />
    </div>
  </Layout>
);
