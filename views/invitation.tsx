/** Where the link of an invitation leads (XEP-0401 §4.2): who invites, the form for an account, and the way into an app. */
import { AccountForm } from "./account-form.tsx";
import { AppList, Qr } from "./apps.tsx";
import { Layout } from "./layout.tsx";
import type { AccountForm as Form, Head, InvitationView, Site } from "./model.ts";

interface InvitationProps {
  readonly site: Site;
  readonly head: Head;
  readonly invitation: InvitationView;
  /** Missing where no account can be made with it. */
  readonly form: Form | undefined;
}

export const InvitationPage = ({ site, head, invitation, form }: InvitationProps) => {
  const { inviter, until } = invitation;
  return (
    <Layout site={site} head={head}>
      <div class="columns">
        <main id="main" class="joining">
          <header class="person">
            {inviter && <img src={inviter.avatar} alt="" width="80" height="80" />}
            <div>
              <h1 dir="auto">{invitation.heading}</h1>
              {inviter && <p class="address">{inviter.address}</p>}
            </div>
          </header>
          {form ? (
            <>
              <p>
                With an account at <strong>{site.name}</strong> you can chat with{" "}
                {inviter?.name ?? "people here"}, and with anybody else who has an XMPP address.
              </p>
              <AccountForm form={form} />
            </>
          ) : (
            <>
              <p>
                You need an XMPP address of your own, from any server. Then add {inviter?.name} to your
                contacts:
              </p>
              <p>
                <a class="button" href={invitation.uri}>
                  Add {inviter?.name}
                </a>
              </p>
            </>
          )}
          <p class="hint">
            The invitation is good for one person, until <time datetime={until.iso}>{until.full}</time>. If it
            is not meant for you, there is nothing to do.
          </p>
        </main>
        <aside class="follow" aria-labelledby="apps">
          <h2 id="apps">In an app</h2>
          <p>
            {form
              ? "The invitation opens in apps for XMPP too:"
              : "If the button does nothing, get an app first."}
          </p>
          {form && (
            <p>
              <a class="button" href={invitation.uri}>
                Open in your app
              </a>
            </p>
          )}
          <h3>For your phone</h3>
          <p>Scan this with the app, or with the camera:</p>
          <Qr qr={invitation.qr} label="QR code of the invitation" />
          <h3>No app yet?</h3>
          <p>Get one, and come back to this page:</p>
          <AppList apps={invitation.apps} />
        </aside>
      </div>
    </Layout>
  );
};
