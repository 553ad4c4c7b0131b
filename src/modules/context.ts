/** What a module is given, and `defineModule`. */
import type { Accounts } from "../domain/accounts.ts";
import type { AppPasswords } from "../domain/app-passwords.ts";
import type { Archive } from "../domain/archive.ts";
import type { ArchivePreferences } from "../domain/archive-preferences.ts";
import type { Avatars } from "../domain/avatars.ts";
import type { Blocking } from "../domain/blocking.ts";
import type { Clients } from "../domain/clients.ts";
import type { DomainEvents } from "../domain/events.ts";
import type { Follows } from "../domain/follows.ts";
import type { FullText } from "../domain/full-text.ts";
import type { Invitations } from "../domain/invitations.ts";
import type { Posts } from "../domain/posts.ts";
import type { Registration } from "../domain/registration.ts";
import type { Rosters } from "../domain/rosters.ts";
import type { Timeline } from "../domain/timeline.ts";
import type { Uploads } from "../domain/uploads.ts";
import type { Waiting } from "../domain/waiting.ts";
import type { Config } from "../config.ts";
import type { Events } from "../events.ts";
import type { Logger } from "../log.ts";
import type { PubSubEvents } from "../pubsub/events.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import type { Components } from "../server/components.ts";
import type { ServerEvents } from "../server/events.ts";
import type { Module } from "../server/module.ts";
import type { Registry } from "../server/registry.ts";
import type { Router } from "../server/router.ts";
import type { Sessions } from "../server/sessions.ts";
import type { Store } from "../store/store.ts";
import type { ServiceEvents } from "./admin-service.ts";
import type { CapabilityEvents } from "./capabilities.ts";
import type { RetractionEvents } from "./tombstones.ts";

export type PipitEvents = ServerEvents &
  PubSubEvents &
  DomainEvents &
  CapabilityEvents &
  ServiceEvents &
  RetractionEvents;

export interface ModuleContext {
  readonly config: Config;
  readonly log: Logger;
  readonly events: Events<PipitEvents>;
  readonly store: Store;
  readonly sessions: Sessions;
  readonly router: Router;
  readonly components: Components;
  readonly registry: Registry;
  readonly accounts: Accounts;
  readonly appPasswords: AppPasswords;
  readonly clients: Clients;
  readonly invitations: Invitations;
  readonly registration: Registration;
  readonly rosters: Rosters;
  readonly blocking: Blocking;
  readonly archive: Archive;
  readonly archivePreferences: ArchivePreferences;
  readonly fullText: FullText;
  readonly waiting: Waiting;
  readonly pubsub: PubSub;
  readonly avatars: Avatars;
  readonly posts: Posts;
  readonly timeline: Timeline;
  readonly follows: Follows;
  readonly uploads: Uploads;
}

export type PipitModule = Module<ModuleContext, PipitEvents>;

/** A module, checked where it is written. */
export const defineModule = (module: PipitModule): PipitModule => module;
