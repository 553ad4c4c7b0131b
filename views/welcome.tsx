/** The first page of a node on which nobody lives yet. */
import { Layout } from "./layout.tsx";
import type { Head, Site } from "./model.ts";

export const WelcomePage = ({ site, head }: { readonly site: Site; readonly head: Head }) => (
  <Layout site={site} head={head}>
    <main id="main" class="notice">
      <img src={site.asset["bird.svg"]} alt="" width="96" height="96" />
      <h1>It works. Now it needs you.</h1>
      <p>
        This node serves <strong>{site.name}</strong>, and nobody lives here yet. Whoever runs it adds the
        first person on the command line:
      </p>
      <pre>
        <code>npm run pipit -- account add you@{site.name} --password "…"</code>
      </pre>
      <p>
        Then log in as that person with any XMPP app, write a message to <strong>timeline@{site.name}</strong>
        , and it is published on this page and in its feeds.
      </p>
    </main>
  </Layout>
);
