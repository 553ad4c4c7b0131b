/** Everything that is not the page asked for, each in words for people. */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Person, Site } from "../../views/model.ts";
import { ProblemPage } from "../../views/problem.tsx";

interface Words {
  readonly heading: string;
  readonly text: string;
  readonly link?: { readonly text: string; readonly href: string };
}

export function problems(site: Site) {
  const show = (c: Context, status: ContentfulStatusCode, { heading, text, link }: Words) => {
    c.header("Cache-Control", "no-cache");
    return c.html(
      <ProblemPage site={site} status={status} heading={heading} text={text} link={link} />,
      status,
    );
  };
  return {
    badRequest: (c: Context) =>
      show(c, 400, {
        heading: "That address makes no sense",
        text: "A part of it was cut off or changed on the way here. The front of the list is still where it was.",
        link: { text: "To the newest posts", href: c.req.path },
      }),
    notFound: (c: Context) =>
      show(c, 404, {
        heading: "Nothing nests here",
        text: "There is no page at this address. Perhaps it was mistyped, or it never was for everybody to see.",
      }),
    methodNotAllowed: (c: Context, allowed: readonly string[]) => {
      c.header("Allow", allowed.join(", "));
      return show(c, 405, {
        heading: "That cannot be done here",
        text: `This page answers ${allowed.join(" and ")}, not ${c.req.method}.`,
      });
    },
    gone: (c: Context, author: Person) =>
      show(c, 410, {
        heading: "This post has flown",
        text: `${author.name} deleted it, and it will not come back.`,
        link: { text: `What else ${author.name} wrote`, href: author.href },
      }),
    noInvitation: (c: Context) =>
      show(c, 404, {
        heading: "There is no such invitation",
        text: "Perhaps the link was cut off on its way, or whoever sent it has taken it back.",
      }),
    overInvitation: (c: Context, state: "used" | "expired", inviter: Person | undefined) =>
      show(c, 410, {
        heading: state === "used" ? "This invitation was used" : "This invitation has expired",
        text:
          `${state === "used" ? "Each one is good for one person." : "It was good for some days only."} ` +
          `${inviter ? inviter.name : "Whoever sent it"} can make you a new one.`,
      }),
    foreign: (c: Context) =>
      show(c, 403, {
        heading: "That did not come from here",
        text: "The form was sent from another site. Open the page here, and fill it in again.",
      }),
    insecure: (c: Context) =>
      show(c, 403, {
        heading: "Not without https",
        text: "This page is about a password or a secret, and others can read along here. Use its https address.",
      }),
    tooLarge: (c: Context) =>
      show(c, 413, { heading: "That is too much", text: "No form here takes as much as that." }),
    failed: (c: Context) =>
      show(c, 500, {
        heading: "Something broke",
        text: "The fault is on this side and was written down. Trying again in a moment may help.",
      }),
  };
}
