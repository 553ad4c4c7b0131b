/** Where anybody makes an account, if the node is open to all. */
import { AccountForm } from "./account-form.tsx";
import { AppList } from "./apps.tsx";
import { Layout } from "./layout.tsx";
import type { AccountForm as Form, App, Head, Site } from "./model.ts";

interface RegisterProps {
  readonly site: Site;
  readonly head: Head;
  readonly form: Form;
  readonly apps: readonly App[];
}

export const RegisterPage = ({ site, head, form, apps }: RegisterProps) => (
  <Layout site={site} head={head}>
    <div class="columns">
      <main id="main" class="joining">
        <header class="list-head">
          <h1>An account at {site.name}</h1>
          <p>One address for chat, a blog and its feeds.</p>
        </header>
        <AccountForm form={form} />
      </main>
      <aside class="follow" aria-labelledby="apps">
        <h2 id="apps">In an app</h2>
        <p>Apps for XMPP can make the account too. Good ones are:</p>
        <AppList apps={apps} />
      </aside>
    </div>
  </Layout>
);
