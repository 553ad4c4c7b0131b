/** XEP-0388: Extensible SASL Profile: authentication and what a session begins with, in one request. */
import { SaslError, StreamError } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, text, xml, type Element } from "../xmpp/xml.ts";
import { bind2Feature } from "./bind2.ts";
import type { KnownClient } from "./client-registry.ts";
import { fastFeature } from "./fast.ts";
import { tooMany, type SaslAnswer, type SaslOffer } from "./sasl.ts";
import { readRequest, type AuthenticationRequest } from "./sasl2-request.ts";
import { succeed } from "./sasl2-success.ts";
import { ScramUpgrade, upgradeFeature, upgradesFrom } from "./sasl2-upgrade.ts";
import type { Authenticated, NegotiatedStream, StreamFeature } from "./stream-feature.ts";
import { managementFeature } from "./stream-management.ts";

type Done = void | Promise<void>;

/** A request whose outcome is not said yet. */
interface Attempt {
  readonly request: AuthenticationRequest;
  readonly client: KnownClient | undefined;
  /** Who it is, once that is proven and there are tasks yet (§2.6.3). */
  who?: Authenticated;
  /** The tasks to do, the next one first; and the one under way. */
  tasks: string[];
  upgrade?: ScramUpgrade;
}

const element = (name: string, ...content: (Element | string)[]): Element =>
  xml(name, { xmlns: NS.sasl2 }, ...content);

export class Sasl2 implements StreamFeature {
  readonly xmlns = NS.sasl2;
  readonly #stream: NegotiatedStream;
  readonly #offer: () => SaslOffer;
  #attempt: Attempt | undefined;

  constructor(stream: NegotiatedStream, offer: () => SaslOffer) {
    this.#stream = stream;
    this.#offer = offer;
  }

  /** §2.4: while it is under way nothing else may be said. */
  get isBusy(): boolean {
    return this.#attempt !== undefined;
  }

  /** It is announced with the other profile, whose mechanisms it shares. */
  advertise(): readonly Element[] {
    return [];
  }

  /** §2.1; not before TLS (§3). */
  features({ negotiation, hashes }: SaslOffer): readonly Element[] {
    if (!this.#stream.isEncrypted) return [];
    const mechanisms = negotiation.mechanisms.map((name) => xml("mechanism", {}, name));
    const fast = this.#stream.context.clients ? [fastFeature(negotiation.tokenMechanisms)] : [];
    const inline = xml("inline", {}, managementFeature(), bind2Feature(this.#stream), ...fast);
    const upgrades = upgradesFrom(hashes).map(upgradeFeature);
    return [element("authentication", ...mechanisms, inline, ...upgrades)];
  }

  async receive(received: Element): Promise<void> {
    try {
      await this.#handle(received);
    } catch (error) {
      if (!(error instanceof SaslError)) throw error;
      this.#fail(await this.#offer().negotiation.refuse(error));
    }
  }

  #handle(received: Element): Done {
    const attempt = this.#attempt;
    if (!attempt) {
      if (received.name === "authenticate") return this.#begin(received);
    } else if (received.name === "abort") {
      throw new SaslError("aborted");
    } else if (attempt.who) {
      return this.#work(attempt, attempt.who, received);
    } else if (received.name === "response") {
      const { negotiation } = this.#offer();
      return negotiation.respond(text(received).trim()).then((answer) => this.#answer(attempt, answer));
    }
    throw outOfTurn(received);
  }

  async #begin(received: Element): Promise<void> {
    const { context, from, isEncrypted } = this.#stream;
    if (!isEncrypted) throw new SaslError("encryption-required");
    const request = readRequest(received);
    const { mechanism, initial, agent, use } = request;
    if (use && !agent) throw new SaslError("malformed-request", "A token is its client's alone");
    const client = agent && context.clients?.of(agent);
    const redeem = use && client?.redeemer(use);
    this.#attempt = { request, client, tasks: [] };
    const answer = await this.#offer().negotiation.begin({ mechanism, initial, from, redeem });
    await this.#answer(this.#attempt, answer);
  }

  #fail(answer: SaslAnswer): void {
    if (answer.kind !== "failure") return;
    this.#attempt = undefined;
    const { condition, text } = answer.error;
    const why = text === undefined ? [] : [xml("text", { "xml:lang": "en" }, text)];
    this.#send(element("failure", xml(condition, { xmlns: NS.sasl }), ...why));
    if (answer.isExhausted) throw tooMany();
  }

  #answer(attempt: Attempt, answer: SaslAnswer): Done {
    if (answer.kind === "failure") return this.#fail(answer);
    if (answer.kind === "challenge") return this.#send(element("challenge", answer.data.toString("base64")));
    const who = { ...answer.who, client: attempt.client?.client };
    attempt.tasks = this.#tasksFor(attempt, who);
    if (attempt.tasks.length === 0) return this.#succeed(attempt, who, answer.data);
    attempt.who = who;
    this.#send(continuation(attempt.tasks[0]!, answer.data));
  }

  /** XEP-0480 §2.2; with the password alone: what else opens an account must not become a password of it. */
  #tasksFor({ request }: Attempt, { credential }: Authenticated): string[] {
    if (credential !== "password") return [];
    return upgradesFrom(this.#offer().hashes).filter((task) => request.upgrades.includes(task));
  }

  async #work(attempt: Attempt, who: Authenticated, received: Element): Promise<void> {
    const [task, ...others] = attempt.tasks;
    const { upgrade } = attempt;
    if (received.name === "next" && !upgrade) {
      if (attr(received, "task") !== task) throw new SaslError("malformed-request");
      attempt.upgrade = new ScramUpgrade(task!);
      return this.#send(element("task-data", attempt.upgrade.question()));
    }
    if (received.name !== "task-data" || !upgrade) throw outOfTurn(received);
    const { authenticator } = this.#stream.context;
    await authenticator.upgrade?.(who.account.local, upgrade.hash, upgrade.verifier(received), who.since);
    attempt.tasks = others;
    delete attempt.upgrade;
    if (others.length === 0) return this.#succeed(attempt, who);
    this.#send(continuation(others[0]!));
  }

  #succeed({ request, client }: Attempt, who: Authenticated, data?: Buffer): Promise<void> {
    const { tokenMechanisms } = this.#offer().negotiation;
    return succeed(this.#stream, { request, client, who, data, tokenMechanisms });
  }

  #send(answer: Element): void {
    this.#stream.transport.send(answer);
  }
}

/** §2.4, §4.7 */
const outOfTurn = ({ name }: Element): StreamError =>
  new StreamError("policy-violation", `This is no time for <${name}/>`);

/** §2.6.3 */
function continuation(task: string, data?: Buffer): Element {
  const tasks = xml("tasks", {}, xml("task", {}, task));
  const said = data ? [xml("additional-data", {}, data.toString("base64"))] : [];
  return element("continue", ...said, tasks);
}
