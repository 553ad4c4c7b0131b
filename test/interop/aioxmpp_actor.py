"""An aioxmpp client driven by lines of JSON on standard input; what happens to it comes out the same way.

Usage: aioxmpp_actor.py '{"jid", "password", "host", "port", "ca": FILE, "resumes": ask for resumption (XEP-0198),
  "quiet": no presence before it is told}'

aioxmpp reads strictly by its schemas; whatever it warns of is told as a `complaint`.
"""
import asyncio
import json
import logging
import sys
from datetime import timedelta

import aioxmpp
from aioxmpp.connector import STARTTLSConnector
from aioxmpp.im.dispatcher import IMDispatcher, MessageSource
from aioxmpp.ping import ping
from aioxmpp.security_layer import default_ssl_context, make

from client_actor import obey_lines, tell


class Complaints(logging.Handler):
    def emit(self, record):
        # That a connection was lost is no news to who cut it.
        if record.name.startswith("aioxmpp") and "ECONNRESET" not in (text := self.format(record)):
            tell("complaint", text=text)


class Actor:
    def __init__(self, login):
        def context():
            context = default_ssl_context()
            context.load_verify_locations(login["ca"])
            return context

        self.client = client = aioxmpp.Client(
            aioxmpp.JID.fromstr(login["jid"]), make(login["password"], ssl_context_factory=context),
            override_peer=[(login["host"], login["port"], STARTTLSConnector())])
        client.backoff_start = timedelta(milliseconds=50)
        client.resumption_timeout = None if login["resumes"] else 0
        client.on_stream_established.connect(lambda: tell("started", jid=str(client.local_jid)))
        client.on_stream_resumed.connect(lambda: tell("resumed"))
        client.on_failure.connect(lambda reason: tell("complaint", text=repr(reason)))
        client.summon(aioxmpp.DiscoServer)
        self.roster = client.summon(aioxmpp.RosterClient)
        self.roster.on_subscribe.connect(lambda p: tell("presence", sender=str(p.from_), type="subscribe"))
        others = client.summon(aioxmpp.PresenceClient)
        others.on_available.connect(lambda jid, _: tell("presence", sender=str(jid), type="available"))
        others.on_unavailable.connect(lambda jid, _: tell("presence", sender=str(jid), type="unavailable"))
        self.presence = client.summon(aioxmpp.PresenceServer)
        if not login["quiet"]:
            self.presence.set_presence(aioxmpp.PresenceState(True))
        # This asks for carbons by itself, at every login.
        client.summon(IMDispatcher).message_filter.register(self.message_came, 0)

    def message_came(self, message, peer, sent, source):
        own = aioxmpp.JID.fromstr(str(self.client.local_jid)).bare()
        said = {"sender": str(message.from_), "to": str(message.to), "id": message.id_, "body": message.body.any(),
                "archived": next((it.id_ for it in message.xep0359_stanza_ids if it.by == own), None),
                "delayed": message.xep0203_delay is not None and len(message.xep0203_delay) > 0}
        if source == MessageSource.CARBONS:
            tell("carbon", direction="sent" if sent else "received", **said)
        else:
            tell("message", type=message.type_.value, **said)

    async def obey(self, command):
        do = command["do"]
        to = aioxmpp.JID.fromstr(command["to"]) if "to" in command else None
        if do == "message":
            message = aioxmpp.Message(type_=aioxmpp.MessageType.CHAT, to=to)
            message.id_ = command["id"]
            message.body[None] = command["body"]
            self.client.enqueue(message)
        elif do == "presence":
            {"subscribe": self.roster.subscribe, "subscribed": self.roster.approve}[command["type"]](to)
        elif do == "contacts":
            return {"contacts": {str(jid): item.subscription for jid, item in self.roster.items.items()}}
        elif do == "ping":
            await ping(self.client, to)
        elif do == "disconnect":
            self.client.stop()
        elif do != "carbons":
            raise ValueError("unknown command " + do)
        return {}

    async def answer(self, command):
        try:
            tell("done", id=command["command"], **await self.obey(command))
        except aioxmpp.errors.XMPPError as error:
            tell("failed", id=command["command"], condition=error.condition.xso_class.TAG[1], text=error.text or "")
        except Exception as error:
            tell("failed", id=command["command"], condition="driver", text=repr(error))


async def main():
    actor = Actor(json.loads(sys.argv[1]))
    actor.client.start()
    await obey_lines(actor.answer)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, handlers=[Complaints()])
    asyncio.run(main())
