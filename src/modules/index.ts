/** The modules of Pipit, in the order in which their stage handlers run. */
import accountSessions from "./account-sessions.ts";
import avatars from "./avatars.ts";
import appPasswords from "./app-passwords.ts";
import archivePreferences from "./archive-preferences.ts";
import archiveQuery from "./archive-query.ts";
import archiveRetention from "./archive-retention.ts";
import archive from "./archive.ts";
import blocking from "./blocking.ts";
import bookmarks from "./bookmarks.ts";
import administration from "./administration.ts";
import caps from "./caps.ts";
import carbons from "./carbons.ts";
import clients from "./clients.ts";
import commands from "./commands.ts";
import components from "./components.ts";
import contactInfo from "./contact-info.ts";
import type { PipitModule } from "./context.ts";
import disco from "./disco.ts";
import externalServices from "./external-services.ts";
import displayedSync from "./displayed-sync.ts";
import follow from "./follow.ts";
import invitations from "./invitations.ts";
import lastActivity from "./last-activity.ts";
import microblog from "./microblog.ts";
import moved from "./moved.ts";
import offline from "./offline.ts";
import pep from "./pep.ts";
import ping from "./ping.ts";
import presence from "./presence.ts";
import privateStorage from "./private-storage.ts";
import probes from "./probes.ts";
import push from "./push.ts";
import registration from "./registration.ts";
import remotePresence from "./remote-presence.ts";
import reports from "./reports.ts";
import roster from "./roster.ts";
import stanzaIds from "./stanza-ids.ts";
import subscriptions from "./subscriptions.ts";
import time from "./time.ts";
import timeline from "./timeline.ts";
import tombstones from "./tombstones.ts";
import upload from "./upload.ts";
import vcard from "./vcard.ts";
import version from "./version.ts";

export const modules: readonly PipitModule[] = [
  // The account's own identity comes before what else it is (XEP-0030 §3.1).
  disco,
  // Whoever is blocked gets no further than this.
  blocking,
  reports,
  // Presence gets its picture before anybody sees it.
  avatars,
  displayedSync,
  moved,
  accountSessions,
  clients,
  appPasswords,
  contactInfo,
  registration,
  roster,
  // Who was invited need not ask.
  invitations,
  subscriptions,
  lastActivity,
  stanzaIds,
  // Before anything is archived it is known whether it can wait.
  offline,
  archive,
  carbons,
  push,
  tombstones,
  archiveQuery,
  archivePreferences,
  archiveRetention,
  presence,
  remotePresence,
  probes,
  caps,
  pep,
  ping,
  version,
  time,
  vcard,
  bookmarks,
  privateStorage,
  microblog,
  commands,
  administration,
  components,
  externalServices,
  follow,
  timeline,
  upload,
];
