/** One post (microformats2 h-entry), in a list and on its own page, and the list itself. */
import { raw } from "hono/html";
import type { Moment, Person, PostPage, PostView } from "./model.ts";

interface PostsProps {
  readonly page: PostPage;
  /** Who wrote each; left out where the page is one person's. */
  readonly byline: boolean;
}

export const Posts = ({ page, byline }: PostsProps) => (
  <>
    <ol class="posts">
      {page.posts.map((post) => (
        <li>
          <Post post={post} byline={byline} />
        </li>
      ))}
    </ol>
    {(page.newer ?? page.older) && (
      <nav class="pager" aria-label="Pages">
        {page.newer && (
          <a rel="prev" href={page.newer}>
            ← Newer posts
          </a>
        )}
        {page.older && (
          <a class="older" rel="next" href={page.older}>
            Older posts →
          </a>
        )}
      </nav>
    )}
  </>
);

const Post = ({ post, byline }: { readonly post: PostView; readonly byline: boolean }) => (
  <article class="post h-entry">
    <header class="meta">
      {byline && <Byline person={post.author} />}
      <a class="u-url u-uid" href={post.href}>
        <Time class="dt-published" moment={post.published} />
      </a>
      {post.edited && <Edited moment={post.edited} />}
    </header>
    {post.title !== undefined && (
      <h2 class="p-name" dir="auto" lang={post.language}>
        <a href={post.href}>{post.title}</a>
      </h2>
    )}
    <div class={`prose ${post.excerpt ? "p-summary" : "e-content"}`} dir="auto" lang={post.language}>
      {raw(post.html)}
    </div>
    {post.excerpt && (
      <p class="read-on">
        <a href={post.href} aria-label={post.title === undefined ? undefined : `Read on: ${post.title}`}>
          Read on →
        </a>
      </p>
    )}
    <Tags post={post} />
  </article>
);

/** The post on its own page, where it gives the page its heading. */
export const WholePost = ({ post }: { readonly post: PostView }) => (
  <article class="post whole h-entry">
    <header class="meta">
      <Byline person={post.author} />
      <a class="u-url u-uid" href={post.href}>
        <time class="dt-published" datetime={post.published.iso}>
          {post.published.full}
        </time>
      </a>
      {post.edited && <Edited moment={post.edited} />}
    </header>
    {post.title === undefined ? (
      <h1 class="unseen">
        Post by {post.author.name}, {post.published.full}
      </h1>
    ) : (
      <h1 class="p-name" dir="auto" lang={post.language}>
        {post.title}
      </h1>
    )}
    <div class="prose e-content" dir="auto" lang={post.language}>
      {raw(post.html)}
    </div>
    <Tags post={post} />
  </article>
);

const Byline = ({ person }: { readonly person: Person }) => (
  <a class="p-author h-card u-url byline" href={person.href} rel="author">
    <img class="u-photo" src={person.avatar} alt="" width="36" height="36" />
    <span class="p-name" dir="auto">
      {person.name}
    </span>
  </a>
);

const Edited = ({ moment }: { readonly moment: Moment }) => (
  <span class="edited">
    edited <Time class="dt-updated" moment={moment} />
  </span>
);

const Time = ({ moment, class: name }: { readonly moment: Moment; readonly class: string }) => (
  <time class={name} datetime={moment.iso} title={moment.full}>
    {moment.short}
  </time>
);

const Tags = ({ post }: { readonly post: PostView }) =>
  post.tags.length > 0 && (
    <ul class="tags" aria-label="Tags">
      {post.tags.map((tag) => (
        <li>
          <a class="p-category" rel="tag" href={tag.href} dir="auto">
            #{tag.name}
          </a>
        </li>
      ))}
    </ul>
  );
