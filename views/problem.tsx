/** What a visitor reads instead of the page they asked for. */
import { Layout } from "./layout.tsx";
import type { Site } from "./model.ts";

interface ProblemProps {
  readonly site: Site;
  readonly status: number;
  readonly heading: string;
  readonly text: string;
  /** A better place to go than the front page. */
  readonly link: { readonly text: string; readonly href: string } | undefined;
}

export const ProblemPage = ({ site, status, heading, text, link }: ProblemProps) => (
  <Layout site={site} head={{ title: `${heading} · ${site.name}`, description: text }}>
    <main id="main" class="notice">
      <img src={site.asset["bird.svg"]} alt="" width="96" height="96" />
      <p class="status">{status}</p>
      <h1>{heading}</h1>
      <p>{text}</p>
      <p class="way-out">
        <a href={link?.href ?? "/"}>{link?.text ?? `To the front page of ${site.name}`}</a>
      </p>
    </main>
  </Layout>
);
