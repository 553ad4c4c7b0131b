/** Where everything meets: config → store → domain → server and modules → listeners. */
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { loadCertificate, type CertificatePair } from "./certificate.ts";
import type { Config } from "./config.ts";
import { listenForCommands } from "./control.ts";
import { Accounts } from "./domain/accounts.ts";
import { AppPasswords } from "./domain/app-passwords.ts";
import { Archive } from "./domain/archive.ts";
import { ArchivePreferences } from "./domain/archive-preferences.ts";
import { Avatars } from "./domain/avatars.ts";
import { Blocking } from "./domain/blocking.ts";
import { Clients } from "./domain/clients.ts";
import { Follows } from "./domain/follows.ts";
import { FullText } from "./domain/full-text.ts";
import { Invitations } from "./domain/invitations.ts";
import { Logins } from "./domain/logins.ts";
import { Posts } from "./domain/posts.ts";
import { Registration } from "./domain/registration.ts";
import { Rosters } from "./domain/rosters.ts";
import { Timeline } from "./domain/timeline.ts";
import { Uploads } from "./domain/uploads.ts";
import { Waiting } from "./domain/waiting.ts";
import { Events } from "./events.ts";
import type { Logger } from "./log.ts";
import { blogsBy } from "./modules/blogs.ts";
import type { ModuleContext, PipitEvents, PipitModule } from "./modules/context.ts";
import { modules } from "./modules/index.ts";
import { software } from "./modules/software.ts";
import { PubSub, type Contacts } from "./pubsub/pubsub.ts";
import { Bosh, maxBoshRequest } from "./server/bosh.ts";
import { listenC2s } from "./server/c2s.ts";
import { listenComponents } from "./server/component-listener.ts";
import { Components } from "./server/components.ts";
import { Federation } from "./server/federation.ts";
import type { HibernatedState } from "./server/hibernation-journal.ts";
import { Hibernation } from "./server/hibernation.ts";
import { Registry } from "./server/registry.ts";
import { Router } from "./server/router.ts";
import { s2sContext } from "./server/s2s-context.ts";
import { createResolver } from "./server/s2s-discovery.ts";
import { connectLink } from "./server/s2s-out.ts";
import { S2sPolicy } from "./server/s2s-policy.ts";
import { listenS2s, type S2s } from "./server/s2s.ts";
import { Sessions } from "./server/sessions.ts";
import { RegistrationThrottle } from "./server/throttle.ts";
import { ServerTls } from "./server/tls.ts";
import { webSockets } from "./server/websocket.ts";
import { accountStore } from "./store/accounts.ts";
import { hibernatedStore } from "./store/hibernated.ts";
import { takeLock } from "./store/lock.ts";
import { outboundStore } from "./store/outbound.ts";
import { openStore, type SqliteStore } from "./store/sqlite.ts";
import { explain, explainListening, StartError } from "./start-error.ts";
import { execute } from "./verbs.ts";
import { createApp } from "./web/app.ts";
import { clientsOf } from "./web/client-address.ts";
import { webSocketPath } from "./web/addresses.ts";
import { listenHttp, type HttpListener } from "./web/listener.ts";

/** How long listeners to events may still work once the node is told to stop, in milliseconds. */
const grace = 2_000;

/** The whole node without its listeners: what the command line needs where no node runs. */
export interface OpenNode extends Assembled {
  close(): Promise<void>;
}

export interface RunningNode extends OpenNode {
  /** The ports really listened on. */
  readonly ports: {
    readonly c2s?: number;
    readonly c2sTls?: number;
    readonly s2s?: number;
    readonly s2sTls?: number;
    readonly component?: number;
    readonly http?: number;
  };
  readonly certificate: CertificatePair;
  /**
   * Takes what can change while the node runs from settings read anew: whom to speak with, and the certificate, whose
   * files are read again; new handshakes use them at once. Where these are bad nothing changes.
   */
  reload(config: Config): Promise<void>;
}

/**
 * Opens the data directory and puts the rooms together; `undefined` where another process has the directory.
 * Throws `StartError`.
 */
export async function openNode(config: Config, log: Logger): Promise<OpenNode | undefined> {
  const lock = explain("data", config.data, () => {
    mkdirSync(config.data, { recursive: true, mode: 0o700 });
    return takeLock(join(config.data, "lock"));
  });
  if (!lock) return undefined;
  const closers: Closer[] = [() => lock.release()];
  try {
    const store = explain("data", config.data, () => openStore(join(config.data, "pipit.db"), { log }));
    closers.push(() => store.close());
    const events = new Events<PipitEvents>(log);
    closers.push(() => withinGrace(events.idle()));
    const context = assemble(config, log, store, events);
    const { archive, fullText, registry, uploads } = context;
    await archive.open();
    await fullText.open();
    closers.push(() => fullText.close());
    closers.push(() => uploads.close());
    closers.push(() => registry.close());
    for (const module of [...modules, ...(await loadModules(config.modules))]) {
      registry.add(module, context, events);
    }
    const taken = Object.keys(config.components).find((name) => context.router.serves(name));
    if (taken !== undefined) throw new StartError(`components: ${taken} is served by the node itself`);
    await context.accounts.finishRemovals();
    return { ...context, store, close: () => closeAll(closers) };
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

interface Assembled extends ModuleContext {
  readonly store: SqliteStore;
  readonly federation: Federation;
  readonly hibernation: Hibernation;
  readonly logins: Logins;
  readonly policy: S2sPolicy;
}

/** Whether there are other servers for this one. */
const isFederated = ({ listen }: Config): boolean => listen.s2s !== false || listen.s2s_tls !== false;

function assemble(config: Config, log: Logger, store: SqliteStore, events: Events<PipitEvents>): Assembled {
  const { domain } = config;
  const policy = new S2sPolicy(config.s2s);
  const federation = new Federation({ queue: outboundStore(store), policy, log });
  const sessions = new Sessions();
  const registry = new Registry();
  const accounts = new Accounts({ domain, store, events });
  const appPasswords = new AppPasswords({ store, events, accounts });
  const logins = new Logins({ domain, store, accounts });
  const clients = new Clients({ domain, store, accounts, settings: config.clients });
  const accountExists = (local: string) => accounts.exists(local);
  const secrets = new Map(Object.entries(config.components).map(([name, { secret }]) => [name, secret]));
  const components = new Components(secrets, isFederated(config) ? federation : undefined);
  const router = new Router({ domain, sessions, registry, log, accountExists, remote: components });
  const hibernation = new Hibernation({
    ...{ sessions, events, log },
    seconds: config.c2s.resume_seconds,
    location: config.c2s.location,
    store: hibernatedStore<HibernatedState>(store),
    frontier: () => archive.frontier,
    route: (stanza) => router.route(stanza),
  });
  const rosters = new Rosters({ store, events });
  const invitations = new Invitations({ config, store, accounts, rosters });
  const throttle = new RegistrationThrottle();
  const registration = new Registration({ config, accounts, invitations, throttle, log });
  const isOurs = (bare: string) => bare === domain || registry.services.has(bare);
  const blocking = new Blocking({ store, isOurs });
  const pubsub = new PubSub({ store, events, contacts: contactsOf(rosters, blocking) });
  const avatars = new Avatars({ events, pubsub });
  const posts = new Posts({ config, store, events, pubsub, software });
  const timeline = new Timeline({ store, events });
  const follows = new Follows({ store, events, timeline, blogs: blogsBy(router) });
  const uploads = new Uploads({ config, store, events, log });
  const archive = new Archive(store);
  const archivePreferences = new ArchivePreferences({
    store,
    isContact: async (account, bare) => (await rosters.of(account)).has(bare),
  });
  const fullText = new FullText({ store, archive, log });
  const waiting = new Waiting({ store, archive, log, hasClients: (account) => sessions.has(account) });
  return {
    components,
    ...{ appPasswords, clients, logins },
    ...{ archive, archivePreferences, fullText, waiting },
    ...{ config, log, events, store, sessions, router, registry, accounts, rosters, pubsub, posts },
    ...{ invitations, registration },
    ...{ avatars, blocking, timeline, follows, uploads, federation, hibernation, policy },
  };
}

/** What access to pubsub nodes asks of the people around an account. */
const contactsOf = (rosters: Rosters, blocking: Blocking): Contacts => ({
  isSubscriber: (owner, jid) => rosters.isSubscriber(owner, jid),
  groupsOf: (owner, jid) => rosters.groupsOf(owner, jid),
  blocked: (owner) => blocking.checker(owner),
});

type Closer = () => void | Promise<void>;

/** Closes what was opened, the last first and only once; one that fails does not keep the others open. */
async function closeAll(closers: Closer[]): Promise<void> {
  const faults: unknown[] = [];
  for (const close of closers.splice(0).reverse()) {
    try {
      await close();
    } catch (error) {
      faults.push(error);
    }
  }
  if (faults.length > 0) throw faults[0];
}

async function withinGrace(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([work, new Promise((resolve) => (timer = setTimeout(resolve, grace)))]);
  clearTimeout(timer);
}

/** Opens the node and makes it reachable. Throws `StartError` where something stands in the way. */
export async function startNode(config: Config, log: Logger): Promise<RunningNode> {
  const node = await openNode(config, log);
  if (!node) throw new StartError(`data: another Pipit runs on ${config.data} already`);
  const closers: Closer[] = [() => node.close()];
  try {
    const { listen } = config;
    const certificate = await loadCertificate(config).catch((error: Error) => {
      throw new StartError(error.message, { cause: error });
    });
    const tls = explain("tls", certificate.file, () => new ServerTls(certificate));
    // Before anybody looks who is there.
    await node.hibernation.restore();
    const s2s = isFederated(config) ? await explainListening(listen, () => federate(node, tls)) : undefined;
    if (s2s) {
      closers.push(() => s2s.close());
      // What clients leave behind, such as that they are gone, is told to other servers yet.
      closers.push(() => withinGrace(node.events.idle()).then(() => node.federation.close()));
    }
    const component = await explainListening(listen, () => openComponentPort(node));
    if (component) closers.push(() => component.close());
    closers.push(() => node.hibernation.close());
    const c2s = await explainListening(listen, () =>
      listenC2s({
        domain: config.domain,
        host: listen.host,
        port: listen.c2s,
        directTlsPort: listen.c2s_tls,
        tls,
        requireTls: config.c2s.require_tls,
        authenticator: node.logins,
        clients: node.clients,
        registrar: node.registration,
        sessions: node.sessions,
        hibernation: node.hibernation,
        router: node.router,
        events: node.events,
        features: node.registry.streamFeatures,
        bindExtensions: node.registry.bindExtensions,
        log,
      }),
    );
    const web: HttpListener[] = [];
    // A WebSocket is the last to know of HTTP that its stream has ended.
    closers.push(() => c2s.close().finally(() => web[0]?.close()));
    const { require_tls: requireTls } = config.c2s;
    const clients = { accept: c2s.accept, client: clientsOf(config), requireTls, log };
    const upgrades = new Map([[webSocketPath, webSockets(clients)]]);
    const sessions = new Bosh({ domain: config.domain, ...clients });
    const bosh = { answer: sessions.request.bind(sessions), maxBody: maxBoshRequest, ...clients };
    const tlsPorts = { c2sTls: c2s.directTlsPort, s2sTls: s2s?.directTlsPort };
    const app = createApp({ ...node, bosh, tlsPorts });
    const http = await explainListening(listen, () => listenHttp(app, listen.http, listen.host, upgrades));
    web.push(http);
    const control = await listenForCommands(config.data, (command) => execute(node, command), log);
    closers.push(() => control.close());
    return {
      ...node,
      close: () => closeAll(closers),
      certificate,
      ports: {
        ...(c2s.port !== undefined && { c2s: c2s.port }),
        ...(c2s.directTlsPort !== undefined && { c2sTls: c2s.directTlsPort }),
        ...(s2s?.port !== undefined && { s2s: s2s.port }),
        ...(s2s?.directTlsPort !== undefined && { s2sTls: s2s.directTlsPort }),
        ...(component && { component: component.port }),
        ...(http.port !== undefined && { http: http.port }),
      },
      async reload(settings) {
        tls.reload(await loadCertificate(settings));
        node.policy.set(settings.s2s);
        log.info("s2s.allow, s2s.deny and the certificate were read again");
      },
    };
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

/** Opens the port for components, where there are some. */
async function openComponentPort({ config, components, router, events, log }: OpenNode) {
  const { domain, listen } = config;
  if (listen.component === false || Object.keys(config.components).length === 0) return undefined;
  const { component: port, component_host: host } = listen;
  return listenComponents({ domain, host, port, components, router, events, log });
}

/** Opens the ports for other servers, and begins to deliver what waits for them. */
async function federate(
  { config, events, log, policy, router, components, federation, store }: OpenNode,
  tls: ServerTls,
): Promise<S2s> {
  const { domain, listen } = config;
  const context = s2sContext({
    ...{ domain, tls, policy, log },
    resolver: createResolver({ servers: config.s2s.resolver }),
    dialback: config.s2s.dialback,
    secret: await accountStore(store).secret("dialback", randomBytes(32).toString("base64")),
    isLocal: (name) => router.serves(name) || components.has(name),
    receive: (stanza, lane) =>
      components.isFor(stanza) ? router.route(stanza) : router.receiveRemote(stanza, lane),
    seen: (local, remote) => federation.seen(local, remote),
  });
  // Who has become denied is not spoken with any more.
  policy.onChange(() => context.streams.look());
  const s2s = await listenS2s(context, {
    host: listen.host,
    port: listen.s2s,
    directTlsPort: listen.s2s_tls,
  });
  await federation.start({
    connect: (local, remote) => connectLink(context, local, remote),
    returns: (stanza) => router.route(stanza),
    connected: (domain, again) => events.emit("domain.connected", { domain, again }),
    lost: (domain) => events.emit("domain.lost", { domain }),
  });
  return s2s;
}

/** People's own modules, in the order of the settings. */
async function loadModules(files: readonly string[]): Promise<PipitModule[]> {
  const loaded: PipitModule[] = [];
  for (const file of files) {
    const { default: module } = await import(pathToFileURL(file).href).catch((error: unknown) => {
      throw new StartError(`modules: ${file} cannot be loaded: ${String(error)}`, { cause: error });
    });
    if (typeof module?.name !== "string" || typeof module.setup !== "function") {
      throw new StartError(`modules: ${file} has no module as its default export (see defineModule)`);
    }
    loaded.push(module as PipitModule);
  }
  return loaded;
}
