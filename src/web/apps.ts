/** Chat apps that newcomers are sent to: kept up, free, and known to open invitations. */
import type { App } from "../../views/model.ts";

const apps: readonly (App & { readonly here: RegExp })[] = [
  { name: "Conversations", href: "https://conversations.im/", runsOn: "for Android", here: /Android/ },
  {
    name: "Monal",
    href: "https://monal-im.org/",
    runsOn: "for iPhone, iPad and Mac",
    here: /iPhone|iPad|Mac OS/,
  },
  { name: "Gajim", href: "https://gajim.org/", runsOn: "for Windows, Linux and Mac", here: /Windows/ },
  { name: "Dino", href: "https://dino.im/", runsOn: "for Linux", here: /Linux(?!; Android)/ },
];

/** All of them; those for the reader's own device come first (XEP-0401 §4.2). */
export function appsFor(userAgent = ""): App[] {
  const isHere = ({ here }: (typeof apps)[number]): boolean => here.test(userAgent);
  return [...apps.filter(isHere), ...apps.filter((app) => !isHere(app))].map(({ name, href, runsOn }) => ({
    name,
    href,
    runsOn,
  }));
}
