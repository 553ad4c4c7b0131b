/** Joining in a browser: the page of an invitation (XEP-0401 §4.2), and the form that makes an account. */
import type { HttpBindings } from "@hono/node-server";
import type { Context, MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { InvitationPage } from "../../views/invitation.tsx";
import { JoinedPage } from "../../views/joined.tsx";
import type { AccountForm, Head, Site } from "../../views/model.ts";
import { RegisterPage } from "../../views/register.tsx";
import type { Config } from "../config.ts";
import { invitationPath, stateOf, type Invitation, type Invitations } from "../domain/invitations.ts";
import type { Admission, Registration } from "../domain/registration.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { appsFor } from "./apps.ts";
import { clientsOf, type Client } from "./client-address.ts";
import { moment } from "./moments.ts";
import { personView } from "./present.ts";
import { problems } from "./problems.tsx";
import { qrCode } from "./qr.ts";

export const registerPath = "/register";
/** A name and two passwords of 1,024 bytes each, every byte of them written as three. */
const maxBody = 16_384;
/** Who opened the form in time may take so long to fill it in, in milliseconds. */
const formPatience = 3_600_000;

export interface JoiningOptions {
  readonly config: Config;
  readonly site: Site;
  readonly invitations: Invitations;
  readonly registration: Registration;
}

type Problem = AccountForm["problem"];

/** A form that was not taken, and the status that says so. */
interface Refused {
  readonly status: ContentfulStatusCode;
  readonly problem: NonNullable<Problem>;
  readonly username: string;
}

export function joining({ config, site, invitations, registration }: JoiningOptions) {
  const { domain } = config;
  const problem = problems(site);
  const clientOf = clientsOf(config);

  function client(c: Context): Client {
    const incoming = (c.env as HttpBindings | undefined)?.incoming;
    const isEncrypted = c.req.url.startsWith("https:");
    return (incoming && clientOf(incoming)) ?? { address: "", isEncrypted };
  }

  /** These pages hold a secret, or take one. */
  const privately: MiddlewareHandler = async (c, next) => {
    if (config.c2s.require_tls && !client(c).isEncrypted) c.res = await problem.insecure(c);
    else await next();
    c.header("Cache-Control", "no-store");
    c.header("X-Robots-Tag", "noindex, nofollow");
  };

  const limit = bodyLimit({ maxSize: maxBody, onError: (c) => problem.tooLarge(c) });

  /** The invitation of the address; where there is none, or it is over, the answer that says so. */
  async function invited(c: Context, patience = 0): Promise<Invitation | Response> {
    const invitation = await invitations.find(c.req.param("token") ?? "");
    if (!invitation) return problem.noInvitation(c);
    const state = stateOf(invitation, new Date(Date.now() - patience));
    return state === "open" ? invitation : problem.overInvitation(c, state, inviterOf(invitation));
  }

  function showInvitation(
    c: Context,
    invitation: Invitation,
    refused?: Refused,
  ): Response | Promise<Response> {
    const { registers, username, expiresAt } = invitation;
    const inviter = inviterOf(invitation);
    const uri = invitations.uriOf(invitation);
    const heading = inviter ? `${inviter.name} invites you to chat` : `You are invited to ${domain}`;
    const view = {
      heading,
      inviter,
      uri,
      qr: qrCode(uri),
      until: moment(expiresAt, new Date()),
      apps: appsFor(c.req.header("user-agent")),
    };
    const form = registers ? formOf(invitationPath(invitation.token), username, refused) : undefined;
    const head = headOf(heading, `An invitation to chat over XMPP, from ${inviter?.address ?? domain}.`);
    return c.html(
      <InvitationPage site={site} head={head} invitation={view} form={form} />,
      refused?.status ?? 200,
    );
  }

  function showOpen(c: Context, refused?: Refused): Response | Promise<Response> {
    const head = headOf(`An account at ${domain}`, `Make an account at ${domain}.`);
    const form = formOf(registerPath, null, refused);
    const apps = appsFor(c.req.header("user-agent"));
    return c.html(<RegisterPage site={site} head={head} form={form} apps={apps} />, refused?.status ?? 200);
  }

  const formOf = (action: string, name: string | null, refused: Refused | undefined): AccountForm => ({
    action,
    domain,
    username: name ?? refused?.username ?? "",
    isNamed: name !== null,
    problem: refused?.problem,
  });

  /** Makes the account that the form asks for; the address, or why there is none. */
  async function register(c: Context, admission: Admission): Promise<string | Refused> {
    // What is no form says nothing.
    const body = await c.req.parseBody().catch((): Record<string, unknown> => ({}));
    const field = (name: string): string => {
      const value = body[name];
      return typeof value === "string" ? value : "";
    };
    const username = field("username").trim();
    const refuse = (status: ContentfulStatusCode, problem: NonNullable<Problem>): Refused => ({
      status,
      problem,
      username,
    });
    if (username === "") return refuse(400, { text: "A name is missing.", field: "username" });
    if (field("password") === "") return refuse(400, { text: "A password is missing.", field: "password" });
    if (field("password") !== field("again"))
      return refuse(400, { text: "That was not the same password twice.", field: "again" });
    try {
      return (await admission.register(username, field("password"))).jid;
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error;
      const text = `${error.message}.`;
      if (error.condition === "not-allowed") return refuse(410, { text });
      if (error.type === "wait") return refuse(429, { text });
      if (error.condition === "conflict") return refuse(409, { text, field: "username" });
      return refuse(400, { text });
    }
  }

  function welcome(c: Context, jid: string, friend?: string | null): Response | Promise<Response> {
    const head = headOf(`Welcome to ${domain}`, "Your account is made.");
    const apps = appsFor(c.req.header("user-agent"));
    const known = friend ? personView(friend) : undefined;
    return c.html(
      <JoinedPage site={site} head={head} person={personView(jid)} friend={known} apps={apps} />,
      201,
    );
  }

  return {
    privately,
    limit,

    async invitation(c: Context): Promise<Response> {
      const found = await invited(c);
      return found instanceof Response ? found : showInvitation(c, found);
    },

    async acceptInvitation(c: Context): Promise<Response> {
      const found = await invited(c, formPatience);
      if (found instanceof Response) return found;
      if (!found.registers) return problem.methodNotAllowed(c, ["GET", "HEAD"]);
      const made = await register(c, registration.admit(found, client(c).address));
      return typeof made === "string"
        ? welcome(c, made, found.befriends ? found.inviter : undefined)
        : showInvitation(c, found, made);
    },

    async open(c: Context): Promise<Response> {
      return registration.isOpen ? showOpen(c) : problem.notFound(c);
    },

    async registerOpen(c: Context): Promise<Response> {
      if (!registration.isOpen) return problem.notFound(c);
      const made = await register(c, registration.open(client(c).address));
      return typeof made === "string" ? welcome(c, made) : showOpen(c, made);
    },
  };
}

const inviterOf = ({ inviter }: Invitation) => (inviter === null ? undefined : personView(inviter));

const headOf = (title: string, description: string): Head => ({
  title,
  description,
  stylesheet: "forms.css",
});
