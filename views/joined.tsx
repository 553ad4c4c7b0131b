/** What somebody reads who has just made an account: their address, and what to do with it. */
import { AppList } from "./apps.tsx";
import { Layout } from "./layout.tsx";
import type { App, Head, Person, Site } from "./model.ts";

interface JoinedProps {
  readonly site: Site;
  readonly head: Head;
  readonly person: Person;
  /** Who is a contact already. */
  readonly friend: Person | undefined;
  readonly apps: readonly App[];
}

export const JoinedPage = ({ site, head, person, friend, apps }: JoinedProps) => (
  <Layout site={site} head={head}>
    <main id="main" class="joining">
      <header class="person">
        <img src={person.avatar} alt="" width="80" height="80" />
        <div>
          <h1 dir="auto">Welcome, {person.name}</h1>
          <p>Your account is made.</p>
        </div>
      </header>
      <p>Your address is</p>
      <p class="new-address">
        <strong>{person.address}</strong>
      </p>
      <h2>What comes next</h2>
      <ol class="steps">
        <li>
          <p>Get an app to chat with, if you have none yet:</p>
          <AppList apps={apps} />
        </li>
        <li>
          <p>Log in there with your address and your password.</p>
        </li>
        {friend && (
          <li>
            <p>
              <strong dir="auto">{friend.name}</strong> ({friend.address}) is among your contacts. Say hello!
            </p>
          </li>
        )}
        <li>
          <p>
            Whatever you write to <strong>timeline@{site.name}</strong> is published on{" "}
            <a href={person.href}>your page</a>.
          </p>
        </li>
      </ol>
    </main>
  </Layout>
);
