/** XEP-0050: Ad-Hoc Commands of the domain. Modules register them; everybody sees those that they may run. */
import type { Command, CommandForm, CommandNote, CommandResult, CommandStage } from "../server/command.ts";
import { set, type DiscoQuery, type IqRequest } from "../server/module.ts";
import { formElement } from "../xmpp/dataform.ts";
import { StanzaError } from "../xmpp/errors.ts";
import type { Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, legalText, xml, type Element } from "../xmpp/xml.ts";
import { commandError, submittedForm } from "./command-form.ts";
import { CommandSessions, type CommandSession } from "./command-sessions.ts";
import { defineModule } from "./context.ts";

const actions = ["execute", "cancel", "prev", "next", "complete"] as const;
type Action = (typeof actions)[number];

const isForm = (stage: CommandStage): stage is CommandForm => "form" in stage;
const badAction = (text: string): StanzaError => commandError("bad-request", "bad-action", text);

export default defineModule({
  name: "commands",
  xeps: ["0050"],
  features: { server: [NS.commands] },
  setup: ({ config, registry }) => {
    const sessions = new CommandSessions();

    /** §4.4: a command that is not there is not found, one for others is forbidden. */
    async function commandFor(node: string, from: Jid): Promise<Command> {
      const command = registry.commands.get(node);
      if (!command) throw new StanzaError("item-not-found", { text: "There is no such command" });
      if (await command.mayRun(from)) return command;
      throw new StanzaError("forbidden", { type: "cancel", text: "This command is for others" });
    }

    async function execute(iq: IqRequest): Promise<Element> {
      const { from, payload } = iq;
      const node = attr(payload, "node");
      if (!node) throw new StanzaError("bad-request", { text: "A command has a node" });
      const action = actionOf(payload);
      const id = attr(payload, "sessionid");
      const command = await commandFor(node, from);
      if (id === undefined) {
        if (action !== "execute") throw badAction("A command begins with being executed");
        return begin(iq, command);
      }
      return goOn(iq, openSession(id, command, from), action);
    }

    async function begin(iq: IqRequest, command: Command): Promise<Element> {
      const { full: requester, bare: person } = iq.from;
      const id = sessions.newId(command, requester);
      const session: CommandSession = { id, command, requester, person, forms: [], touchedAt: 0 };
      return proceed(iq, session, await command.run(iq.from));
    }

    function openSession(id: string, { node }: Command, { full }: Jid): CommandSession {
      if (!sessions.isOurs(id, node, full)) {
        throw commandError("bad-request", "bad-sessionid", "That is no run of this command of yours");
      }
      const session = sessions.find(id);
      if (session) return session;
      throw commandError("not-allowed", "session-expired", "This run of the command is over");
    }

    async function goOn(iq: IqRequest, session: CommandSession, action: Action): Promise<Element> {
      const { id, command, forms } = session;
      if (action === "cancel") {
        sessions.end(id);
        return commandElement(command, id, "canceled");
      }
      if (action === "prev") {
        if (forms.length < 2) throw badAction("This is the first stage");
        forms.pop();
        sessions.keep(session);
        return asking(session, forms.at(-1)!);
      }
      const open = forms.at(-1)!;
      if (action !== "execute" && action !== onwards(open)) throw badAction(`Here it is "${onwards(open)}"`);
      return proceed(iq, session, await open.submit(submittedForm(iq.payload, open.form)));
    }

    function proceed(iq: IqRequest, session: CommandSession, stage: CommandStage): Element {
      if (isForm(stage)) {
        session.forms.push(stage);
        sessions.keep(session);
        return asking(session, stage);
      }
      sessions.end(session.id);
      if (stage.afterwards) iq.afterwards = stage.afterwards;
      return completed(session, stage);
    }

    /** §2.2: the list under its fixed node, and each command. */
    async function info({ node, from }: DiscoQuery) {
      const features = [NS.commands, NS.dataForm];
      if (node === NS.commands) return { identities: [{ category: "automation", type: "command-list" }] };
      if (node === undefined || !registry.commands.has(node)) return undefined;
      const { name } = await commandFor(node, from);
      return { identities: [{ category: "automation", type: "command-node", name }], features };
    }

    async function items({ node, from }: DiscoQuery): Promise<Element[] | undefined> {
      if (node !== undefined && registry.commands.has(node)) return [];
      if (node !== NS.commands) return undefined;
      const found: Element[] = [];
      for (const command of registry.commands.values()) {
        const { node, name } = command;
        if (await command.mayRun(from)) found.push(xml("item", { jid: config.domain, node, name }));
      }
      return found;
    }

    return {
      iq: [set(NS.commands, "command", "server", execute)],
      disco: { server: { info, items } },
      events: { "session.closed": ({ session }) => sessions.endAllOf(session.jid.full) },
    };
  },
});

function actionOf(command: Element): Action {
  const wanted = attr(command, "action") ?? "execute";
  const action = actions.find((known) => known === wanted);
  if (action) return action;
  throw commandError("bad-request", "malformed-action", "There is no such action");
}

const onwards = ({ goesOn }: CommandForm): Action => (goesOn ? "next" : "complete");

function asking({ id, command, forms }: CommandSession, open: CommandForm): Element {
  const action = onwards(open);
  const back = forms.length > 1 ? [xml("prev", {})] : [];
  const allowed = xml("actions", { execute: action }, ...back, xml(action, {}));
  return commandElement(command, id, "executing", allowed, ...notesOf(open.notes), formElement(open.form));
}

function completed({ id, command }: CommandSession, { payload, notes }: CommandResult): Element {
  return commandElement(command, id, "completed", ...notesOf(notes), ...(payload ? [payload] : []));
}

const notesOf = (notes: readonly CommandNote[] = []): Element[] =>
  notes.map(({ type, text }) => xml("note", { type }, legalText(text)));

/** §3.7: whatever language was asked for, the answer is in English and says so; a refusal would help nobody. */
const commandElement = ({ node }: Command, sessionid: string, status: string, ...parts: Element[]): Element =>
  xml("command", { xmlns: NS.commands, node, sessionid, status, "xml:lang": "en" }, ...parts);
