/** What the modules registered, merged: one place where a clash shows at start and where disco reads what there is. */
import type { Events } from "../events.ts";
import type { Element } from "../xmpp/xml.ts";
import type { BindExtension } from "./bind2.ts";
import type { Command } from "./command.ts";
import {
  stages,
  type Announced,
  type DiscoSource,
  type Identity,
  type IqRoute,
  type Module,
  type Registrations,
  type Service,
  type Stage,
  type StageHandler,
  type StageHandlers,
} from "./module.ts";

export type StageTable = Record<Stage, StageHandler[]>;

const emptyTable = (): StageTable => ({ filter: [], archive: [], copy: [], deliver: [] });

export class Registry {
  readonly message: StageTable = emptyTable();
  readonly presence: StageTable = emptyTable();
  readonly iqFilters: NonNullable<Registrations<object>["iqFilter"]>[] = [];
  readonly iqGates: StageHandler[] = [];
  readonly undelivered: StageHandler[] = [];
  readonly services = new Map<string, Service>();
  /** The domains of those services. */
  readonly hosts = new Set<string>();
  readonly features: Record<keyof Announced, Set<string>> = {
    server: new Set(),
    account: new Set(),
    service: new Set(),
  };
  readonly identities: { readonly server: Identity[]; readonly account: Identity[] } = {
    server: [],
    account: [],
  };
  readonly disco: {
    readonly forms: Element[];
    readonly server: DiscoSource[];
    readonly account: DiscoSource[];
  } = { forms: [], server: [], account: [] };
  /** XEP-0050, by their nodes. */
  readonly commands = new Map<string, Command>();
  /** The stream features of modules (RFC 6120 §4.3.2), for a client that is authenticated. */
  readonly streamFeatures: (() => Element)[] = [];
  readonly bindExtensions: BindExtension[] = [];
  readonly #closers: (() => void)[] = [];
  readonly #routes = new Map<string, { route: IqRoute; module: string }>();

  /** Sets up a module and takes in what it returns; a second claim on the same thing throws. */
  add<Context, Map extends object>(
    module: Module<Context, Map>,
    context: Context,
    events: Events<Map>,
  ): void {
    const registrations = module.setup(context);
    for (const route of registrations.iq ?? []) this.#addRoute(route, module.name);
    this.#addStages(this.message, registrations.message);
    this.#addStages(this.presence, registrations.presence);
    if (registrations.iqFilter) this.iqFilters.push(registrations.iqFilter);
    if (registrations.iqGate) this.iqGates.push(registrations.iqGate);
    if (registrations.undelivered) this.undelivered.push(registrations.undelivered);
    for (const service of registrations.services ?? []) {
      if (this.services.has(service.address)) throw new Error(`Two modules serve ${service.address}`);
      this.services.set(service.address, service);
      this.hosts.add(service.address.slice(service.address.indexOf("@") + 1));
    }
    const { disco, streamFeature, bindExtension } = registrations;
    this.disco.forms.push(...(disco?.forms ?? []));
    if (disco?.server) this.disco.server.push(disco.server);
    if (disco?.account) this.disco.account.push(disco.account);
    for (const command of registrations.commands ?? []) {
      if (this.commands.has(command.node)) throw new Error(`Two modules have a command ${command.node}`);
      this.commands.set(command.node, command);
    }
    if (streamFeature) this.streamFeatures.push(streamFeature);
    if (bindExtension) this.bindExtensions.push(bindExtension);
    if (registrations.close) this.#closers.push(registrations.close);
    for (const name in registrations.events) {
      const listener = registrations.events[name];
      if (listener) events.on(name, listener);
    }
    this.#announce(module.features, module.identities);
  }

  /** The handler of an iq request. */
  route(type: "get" | "set", target: string, xmlns: string, name: string): IqRoute | undefined {
    return this.#routes.get(key(type, target, xmlns, name))?.route;
  }

  /** Ends what the modules have running. */
  close(): void {
    for (const close of this.#closers.splice(0)) close();
  }

  #addRoute(route: IqRoute, module: string): void {
    const routeKey = key(route.type, route.target, route.xmlns, route.name);
    const taken = this.#routes.get(routeKey);
    if (taken) throw new Error(`${module} and ${taken.module} both answer ${routeKey}`);
    this.#routes.set(routeKey, { route, module });
  }

  #addStages(table: StageTable, handlers: StageHandlers = {}): void {
    for (const stage of stages) {
      const handler = handlers[stage];
      if (handler) table[stage].push(handler);
    }
  }

  #announce(features: Announced = {}, identities: Module<unknown, object>["identities"] = {}): void {
    for (const side of ["server", "account", "service"] as const) {
      for (const feature of features[side] ?? []) this.features[side].add(feature);
    }
    this.identities.server.push(...(identities.server ?? []));
    this.identities.account.push(...(identities.account ?? []));
  }
}

const key = (type: string, target: string, xmlns: string, name: string): string =>
  `${type} ${target} {${xmlns}}${name}`;
