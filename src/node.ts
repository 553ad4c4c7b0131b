/** Where everything meets: config → store → domain → server and modules → listeners. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { loadCertificate, type CertificatePair } from "./certificate.ts";
import type { Config } from "./config.ts";
import { listenForCommands } from "./control.ts";
import { Accounts } from "./domain/accounts.ts";
import { Posts } from "./domain/posts.ts";
import { Rosters } from "./domain/rosters.ts";
import { Events } from "./events.ts";
import type { Logger } from "./log.ts";
import type { ModuleContext, PipitEvents, PipitModule } from "./modules/context.ts";
import { modules } from "./modules/index.ts";
import { software } from "./modules/software.ts";
import { PubSub } from "./pubsub/pubsub.ts";
import { listenC2s } from "./server/c2s.ts";
import { Registry } from "./server/registry.ts";
import { Router } from "./server/router.ts";
import { Sessions } from "./server/sessions.ts";
import { ServerTls } from "./server/tls.ts";
import { takeLock } from "./store/lock.ts";
import { openStore, type SqliteStore } from "./store/sqlite.ts";
import { explain, explainListening, StartError } from "./start-error.ts";
import { execute } from "./verbs.ts";
import { createApp } from "./web/app.ts";
import { listenHttp } from "./web/listener.ts";

/** How long listeners to events may still work once the node is told to stop, in milliseconds. */
const grace = 2_000;

/** The whole node without its listeners: what the command line needs where no node runs. */
export interface OpenNode extends ModuleContext {
  readonly store: SqliteStore;
  close(): Promise<void>;
}

export interface RunningNode extends OpenNode {
  /** The ports really listened on. */
  readonly ports: { readonly c2s?: number; readonly c2sTls?: number; readonly http?: number };
  readonly certificate: CertificatePair;
  /** Reads the certificate's files again; new handshakes use them at once, and a bad file changes nothing. */
  reloadCertificate(): Promise<void>;
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
    const { registry } = context;
    closers.push(() => registry.close());
    for (const module of [...modules, ...(await loadModules(config.modules))]) {
      registry.add(module, context, events);
    }
    await context.accounts.finishRemovals();
    return { ...context, store, close: () => closeAll(closers) };
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

function assemble(
  config: Config,
  log: Logger,
  store: SqliteStore,
  events: Events<PipitEvents>,
): ModuleContext {
  const { domain } = config;
  const sessions = new Sessions();
  const registry = new Registry();
  const accounts = new Accounts({ domain, store, events });
  const accountExists = (local: string) => accounts.exists(local);
  const router = new Router({ domain, sessions, registry, log, accountExists });
  const rosters = new Rosters({ store, events });
  const pubsub = new PubSub({ store, events, contacts: rosters });
  const posts = new Posts({ config, store, events, pubsub, software });
  return { config, log, events, store, sessions, router, registry, accounts, rosters, pubsub, posts };
}

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
    const http = await explainListening(listen, () => listenHttp(createApp(node), listen.http, listen.host));
    closers.push(() => http.close());
    const c2s = await explainListening(listen, () =>
      listenC2s({
        domain: config.domain,
        host: listen.host,
        port: listen.c2s,
        directTlsPort: listen.c2s_tls,
        tls,
        requireTls: config.c2s.require_tls,
        authenticator: node.accounts,
        sessions: node.sessions,
        router: node.router,
        events: node.events,
        features: node.registry.streamFeatures,
        log,
      }),
    );
    closers.push(() => c2s.close());
    const control = await listenForCommands(config.data, (command) => execute(node, command), log);
    closers.push(() => control.close());
    return {
      ...node,
      close: () => closeAll(closers),
      certificate,
      ports: {
        ...(c2s.port !== undefined && { c2s: c2s.port }),
        ...(c2s.directTlsPort !== undefined && { c2sTls: c2s.directTlsPort }),
        ...(http.port !== undefined && { http: http.port }),
      },
      async reloadCertificate() {
        tls.reload(await loadCertificate(config));
        log.info("the certificate was read again");
      },
    };
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
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
