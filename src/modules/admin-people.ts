/** XEP-0133 §4.13–4.22: how many people there are, and who: registered, disabled, online, active and idle. */
import type { CommandStage } from "../server/command.ts";
import { asks, result, valueIn, type AdminCommand } from "./admin-forms.ts";
import type { ModuleContext } from "./context.ts";

/** How many a list shows, as the specification has them; `none` is no limit. */
const sizes = ["25", "50", "75", "100", "150", "200", "none"];
/** Where nothing else is chosen. */
const usualSize = "100";
/** What clients show by themselves once nobody touches the machine (RFC 6121 §4.7.2.1). */
const restful = new Set(["away", "xa"]);

interface Kind {
  /** As it stands in the names of fields. */
  readonly field: string;
  readonly plural: string;
  readonly numberId: string;
  readonly listId: string;
  /** Bare addresses. */
  find(): readonly string[] | Promise<readonly string[]>;
}

export function peopleCommands({ accounts, sessions }: ModuleContext): AdminCommand[] {
  const online = (): string[] => [...new Set([...sessions].map(({ account }) => account))].sort();

  /** Somebody is active who is available on a client that does not say that they are away. */
  const isActive = (account: string): boolean =>
    sessions.availableOf(account).some(({ available }) => {
      const show = available?.stanza.getChildText("show");
      return !show || !restful.has(show);
    });

  const registered = async (disabled?: true): Promise<string[]> =>
    (await accounts.list()).filter((one) => !disabled || one.disabled).map(({ jid }) => jid);

  const kind = (name: string, find: Kind["find"], listId = `get-${name}-users-list`): Kind => ({
    field: `${name}user`,
    plural: `${name[0]!.toUpperCase()}${name.slice(1)} Users`,
    numberId: `get-${name}-users-num`,
    listId,
    find,
  });

  return [
    kind("registered", () => registered()),
    kind("disabled", () => registered(true)),
    kind("online", online),
    kind("active", () => online().filter(isActive), "get-active-users"),
    kind("idle", () => online().filter((account) => !isActive(account)), "get-idle-users"),
  ].flatMap((one) => [number(one), list(one)]);
}

const number = ({ field, plural, numberId, find }: Kind): AdminCommand => ({
  id: numberId,
  name: `Get Number of ${plural}`,
  async run(): Promise<CommandStage> {
    const values = [String((await find()).length)];
    return { payload: result({ name: `${field}snum`, label: `The number of ${plural}`, values }) };
  },
});

const list = ({ field, plural, listId, find }: Kind): AdminCommand =>
  asks(listId, `Get List of ${plural}`, () => ({
    fields: [
      {
        name: "max_items",
        type: "list-single",
        label: "Maximum number of items to show",
        values: [usualSize],
        options: sizes.map((value) => ({ value, label: value })),
      },
    ],
    async submit(form) {
      const most = valueIn(form, "max_items") || usualSize;
      const found = await find();
      const values = most === "none" ? [...found] : found.slice(0, Number(most));
      const left = found.length - values.length;
      return {
        payload: result({ name: `${field}jids`, type: "jid-multi", label: `The list of ${plural}`, values }),
        ...(left > 0 && { notes: [{ type: "info", text: `${left} more are not shown` }] }),
      };
    },
  }));
