/**
 * XEP-0215: External Service Discovery: the servers that calls need, for the accounts of this node. Where a server has a
 * secret of ours, each account gets passwords of its own that expire (draft-uberti-behave-turn-rest).
 */
import { createHmac } from "node:crypto";
import type { Config } from "../config.ts";
import { get, type IqRequest } from "../server/module.ts";
import { formatDateTime } from "../xmpp/datetime.ts";
import { StanzaError } from "../xmpp/errors.ts";
import type { Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, child, xml, type Element } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";

type Service = Config["services"][number];

export default defineModule({
  name: "external-services",
  xeps: ["0215"],
  features: { server: [NS.externalServices] },
  setup: ({ config }) => {
    const refuseStrangers = ({ from }: IqRequest): void => {
      if (from.domain !== config.domain || from.local === "") throw new StanzaError("forbidden");
    };

    function services(iq: IqRequest): Element {
      refuseStrangers(iq);
      const type = attr(iq.payload, "type");
      const found = config.services.filter((service) => type === undefined || service.type === type);
      return answer(iq, { type }, found);
    }

    /** Those with credentials among what fits; more than one where it answers on several ports. */
    function credentials(iq: IqRequest): Element {
      refuseStrangers(iq);
      const wanted = child(iq.payload, "service");
      const [type, host, port] = ["type", "host", "port"].map((name) => wanted && attr(wanted, name));
      if (!type || !host) throw new StanzaError("bad-request", { text: "A service has a type and a host" });
      const found = config.services.filter(
        (one) =>
          isRestricted(one) &&
          one.type === type &&
          one.host === host &&
          (port === undefined || one.port === Number(port)),
      );
      if (found.length === 0) throw new StanzaError("item-not-found");
      return answer(iq, {}, found);
    }

    return {
      iq: [
        get(NS.externalServices, "services", "server", services),
        get(NS.externalServices, "credentials", "server", credentials),
      ],
    };
  },
});

const answer = (
  { payload, from }: IqRequest,
  attrs: { type?: string | undefined },
  found: readonly Service[],
) =>
  xml(
    payload.name,
    { xmlns: NS.externalServices, ...attrs },
    ...found.map((service) => serviceElement(service, from)),
  );

/** Whether it takes nobody without a name and a password. */
const isRestricted = ({ secret, password }: Service): boolean => (secret ?? password) !== undefined;

function serviceElement(service: Service, who: Jid): Element {
  const { type, host, port, transport, name } = service;
  const restricted = isRestricted(service) ? "true" : undefined;
  return xml("service", { type, host, port, transport, name, restricted, ...access(service, who) });
}

interface Access {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly expires?: string;
}

function access({ username, password, secret, ttl }: Service, who: Jid): Access {
  if (secret === undefined) return { username, password };
  const expires = Math.floor(Date.now() / 1000) + ttl;
  // Who it is tells the service's quotas apart, and is nothing to its operator.
  const person = createHmac("sha256", secret).update(who.bare).digest("hex").slice(0, 16);
  const name = `${expires}:${person}`;
  return {
    username: name,
    password: createHmac("sha1", secret).update(name).digest("base64"),
    expires: formatDateTime(new Date(expires * 1000)),
  };
}
