/** XEP-0050: an ad-hoc command as a module registers it. What it asks and answers; the protocol is `modules/commands.ts`. */
import type { DataForm } from "../xmpp/dataform.ts";
import type { Jid } from "../xmpp/jid.ts";
import type { Element } from "../xmpp/xml.ts";

type Awaitable<T> = T | Promise<T>;

/** §4.3: what a person is told beside the form. A command that ends without success has one of type `error`. */
export interface CommandNote {
  readonly type: "info" | "warn" | "error";
  readonly text: string;
}

/** A stage that asks. */
export interface CommandForm {
  /** Of type `form`. */
  readonly form: DataForm;
  readonly notes?: readonly CommandNote[];
  /** More stages follow: it goes on with "next" and not with "complete". */
  readonly goesOn?: true;
  /**
   * Takes the form as it was submitted: what is required is there, and values are of their fields' types. A
   * `StanzaError` is answered, and the form may be sent again.
   */
  submit(form: DataForm): Awaitable<CommandStage>;
}

/** The end of a command. */
export interface CommandResult {
  /** Most often a form of type `result`. */
  readonly payload?: Element;
  readonly notes?: readonly CommandNote[];
  /** What is to happen right behind the answer, before anything else reaches who asked. */
  readonly afterwards?: () => void;
}

export type CommandStage = CommandForm | CommandResult;

/** A command of the domain. Its node is its name for programs and is there once. */
export interface Command {
  readonly node: string;
  /** Its name for people. */
  readonly name: string;
  /** Asked for each list and each stage; to others it is forbidden, and no list shows it. */
  mayRun(from: Jid): Awaitable<boolean>;
  run(from: Jid): Awaitable<CommandStage>;
}
