"""A slixmpp client driven by lines of JSON on standard input; what happens to it comes out the same way.

Usage: slixmpp_actor.py JID PASSWORD HOST PORT starttls|direct CA_FILE MECHANISM|any [+notify node ...]

slixmpp 1.8 knows only the channel binding `tls-unique`, which TLS 1.3 has not; left alone it tries all SCRAM
mechanisms in vain and then takes PLAIN. With a mechanism named it does without channel binding.
"""
import asyncio
import json
import logging
import sys
from pathlib import Path
from xml.etree import ElementTree

import slixmpp
from slixmpp.exceptions import IqError, IqTimeout
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import StanzaPath

# How long one request may take before the actor reports it as failed.
REQUEST_SECONDS = 30


def tell(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def text_of(stanza):
    return ElementTree.tostring(stanza.xml, encoding="unicode")


def without_channel_binding(credentials):
    return lambda required, optional: credentials(required, optional - {"channel_binding"}) | {"channel_binding": b""}


class Actor(slixmpp.ClientXMPP):
    def __init__(self, jid, password, host, port, interests):
        super().__init__(jid, password)
        self.address_told = (host, int(port))
        self.interests = interests
        for plugin in ("0030", "0054", "0060", "0115", "0163", "0184", "0199", "0202", "0092", "0308", "0424"):
            self.register_plugin("xep_" + plugin)
        self.add_event_handler("session_start", self.started)
        self.add_event_handler("failed_auth", lambda _: tell("failed-auth"))
        self.add_event_handler("disconnected", lambda reason: tell("disconnected", reason=str(reason)))
        self.add_event_handler("message", self.message_came)
        self.add_event_handler("message_error", self.message_came)
        for kind in ("available", "unavailable", "subscribe", "subscribed", "unsubscribe", "unsubscribed"):
            self.add_event_handler("presence_" + kind, self.presence_came)
        for kind in ("publish", "retract", "purge", "delete"):
            self.add_event_handler("pubsub_" + kind, self.pubsub_came)
        # slixmpp answers by itself.
        asked = lambda iq: tell("asked", sender=str(iq["from"]), xml=text_of(iq))
        self.register_handler(Callback("asked", StanzaPath("iq@type=get/disco_info"), asked))

    async def get_dns_records(self, domain, port=None):
        # Left alone, slixmpp 1.8 asks the DNS of the machine first, whatever address it is told.
        return [(self.boundjid.host, *self.address_told)]

    async def started(self, _):
        # Requests are answered by us, not by slixmpp's own policy.
        self.roster.auto_authorize = None
        self.roster.auto_subscribe = False
        for node in self.interests:
            self["xep_0163"].add_interest(node)
        await self["xep_0115"].update_caps()
        await self.get_roster()
        self.send_presence()
        tell("started", jid=str(self.boundjid), mechanism=self["feature_mechanisms"].mech.name)

    def message_came(self, message):
        if message.xml.find("{http://jabber.org/protocol/pubsub#event}event") is None:
            tell("message", sender=str(message["from"]), type=message["type"], id=message["id"],
                 body=message["body"], xml=text_of(message))

    def presence_came(self, presence):
        tell("presence", sender=str(presence["from"]), type=presence["type"], xml=text_of(presence))

    def pubsub_came(self, message):
        tell("pubsub", sender=str(message["from"]), node=message["pubsub_event"]["items"]["node"], xml=text_of(message))

    async def obey(self, command):
        do = command["do"]
        if do == "message":
            message = self.make_message(mto=command["to"], mbody=command["body"], mtype=command.get("type", "chat"))
            message["id"] = command["id"]
            if command.get("replaces"):
                message["replace"]["id"] = command["replaces"]
            message.send()
            return {}
        if do == "retract-message":
            self["xep_0424"].send_retraction(slixmpp.JID(command["to"]), command["id"])
            return {}
        if do == "presence":
            self.send_presence(pto=command.get("to"), ptype=command.get("type"), pstatus=command.get("status"))
            return {}
        if do == "disconnect":
            await self.disconnect()
            return {}
        if do == "iq":
            iq = self.make_iq(ito=command.get("to"), itype=command["type"])
            iq.xml.append(ElementTree.fromstring(command["payload"]))
            answer = await iq.send(timeout=REQUEST_SECONDS)
            return {"xml": text_of(answer)}
        pubsub = self["xep_0060"]
        to, node = command.get("to"), command.get("node")
        if do == "publish":
            answer = await pubsub.publish(to, node, id=command["id"], payload=ElementTree.fromstring(command["payload"]))
        elif do == "items":
            answer = await pubsub.get_items(to, node, max_items=command.get("max"))
        elif do == "retract":
            answer = await pubsub.retract(to, node, command["id"], notify=True)
        elif do == "subscribe":
            answer = await pubsub.subscribe(to, node)
        elif do == "unsubscribe":
            answer = await pubsub.unsubscribe(to, node)
        elif do == "disco":
            answer = await self["xep_0030"].get_info(jid=to, node=node)
        elif do == "roster":
            answer = await self.get_roster()
        elif do == "ping":
            return {"seconds": await self["xep_0199"].ping(to)}
        else:
            raise ValueError("unknown command " + do)
        return {"xml": text_of(answer)}

    async def answer(self, command):
        try:
            tell("done", id=command["command"], **await self.obey(command))
        except IqError as error:
            tell("failed", id=command["command"], condition=error.condition, text=error.text)
        except (IqTimeout, asyncio.TimeoutError):
            tell("failed", id=command["command"], condition="timeout", text="")
        except Exception as error:
            tell("failed", id=command["command"], condition="driver", text=repr(error))


async def main():
    jid, password, host, port, security, ca, mechanism = sys.argv[1:8]
    actor = Actor(jid, password, host, port, sys.argv[8:])
    if mechanism != "any":
        actor["feature_mechanisms"].use_mech = mechanism
        actor["feature_mechanisms"].sasl_callback = without_channel_binding(actor["feature_mechanisms"].sasl_callback)
    actor.ca_certs = Path(ca)
    actor.connect(actor.address_told, use_ssl=security == "direct", force_starttls=security != "direct",
                  disable_starttls=security == "direct")
    # It takes an IPv6 address for the name that the certificate is for.
    actor.default_domain = actor.boundjid.host
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        asyncio.ensure_future(actor.answer(json.loads(line)))
    await actor.disconnect(wait=1)


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    asyncio.run(main())
