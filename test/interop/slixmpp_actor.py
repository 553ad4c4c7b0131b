"""A slixmpp client driven by lines of JSON on standard input; what happens to it comes out the same way.

Usage: slixmpp_actor.py '{"jid", "password", "host", "port", "security": "starttls" | "direct", "ca": FILE,
  "mechanism": only this one, "interests": nodes for +notify, "resumes": go on after a connection is lost (XEP-0198),
  "quiet": no presence before it is told, "registers": makes its account first, "token": of an invitation for that}'

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

from client_actor import obey_lines, tell

# How long one request may take before the actor reports it as failed.
REQUEST_SECONDS = 30

# Messages with these are told as what they are, not as messages.
OTHER_THAN_MESSAGES = ("{http://jabber.org/protocol/pubsub#event}event", "{urn:xmpp:mam:2}result",
                       "{urn:xmpp:carbons:2}sent", "{urn:xmpp:carbons:2}received")


def text_of(stanza):
    return ElementTree.tostring(stanza.xml, encoding="unicode")


def said(message):
    return {"sender": str(message["from"]), "to": str(message["to"]), "id": message["id"], "body": message["body"],
            "archived": message["stanza_id"]["id"], "delayed": message.xml.find("{urn:xmpp:delay}delay") is not None}


def without_channel_binding(credentials):
    return lambda required, optional: credentials(required, optional - {"channel_binding"}) | {"channel_binding": b""}


class Actor(slixmpp.ClientXMPP):
    def __init__(self, login):
        super().__init__(login["jid"], login["password"])
        self.login = login
        self.address_told = (login["host"], login["port"])
        for plugin in ("0030", "0054", "0060", "0115", "0163", "0184", "0199", "0202", "0092", "0308", "0424",
                       "0280", "0313", "0352", "0359"):
            self.register_plugin("xep_" + plugin)
        self.leaving = not login.get("resumes")
        if login.get("resumes"):
            self.register_plugin("xep_0198")
            self.add_event_handler("sm_enabled", lambda enabled: tell("resumable", id=enabled["id"]))
            self.add_event_handler("session_resumed", lambda _: tell("resumed"))
            self.add_event_handler("disconnected", self.comes_back)
        if login.get("registers"):
            self.register_plugin("xep_0077")
            # Left alone, slixmpp 1.8 keeps back what it says before it is logged in, its own registration too.
            self._always_send_everything = True
            self.ask_for_form = self["xep_0077"].get_registration
            self["xep_0077"].get_registration = self.form_came_for
            self.add_event_handler("register", self.form_came)
        self.add_event_handler("session_start", self.started)
        self.add_event_handler("failed_auth", lambda _: tell("failed-auth"))
        self.add_event_handler("disconnected", lambda reason: tell("disconnected", reason=str(reason)))
        self.add_event_handler("message", self.message_came)
        self.add_event_handler("message_error", self.message_came)
        self.add_event_handler("carbon_sent", lambda m: self.carbon_came("sent", m["carbon_sent"]))
        self.add_event_handler("carbon_received", lambda m: self.carbon_came("received", m["carbon_received"]))
        for kind in ("available", "unavailable", "subscribe", "subscribed", "unsubscribe", "unsubscribed"):
            self.add_event_handler("presence_" + kind, self.presence_came)
        for kind in ("publish", "retract", "purge", "delete"):
            self.add_event_handler("pubsub_" + kind, self.pubsub_came)
        # slixmpp answers by itself.
        asked = lambda iq: tell("asked", sender=str(iq["from"]), xml=text_of(iq))
        self.register_handler(Callback("asked", StanzaPath("iq@type=get/disco_info"), asked))

    async def form_came_for(self):
        # XEP-0445, which slixmpp knows nothing of.
        if "token" in self.login:
            shown = self.make_iq_set()
            shown.append(ElementTree.Element("{urn:xmpp:pars:0}preauth", token=self.login["token"]))
            await shown.send(timeout=REQUEST_SECONDS)
        return await self.ask_for_form()

    async def form_came(self, form):
        filled = self.make_iq_set()
        filled["register"]["username"] = self.boundjid.user
        filled["register"]["password"] = self.password
        try:
            await filled.send(timeout=REQUEST_SECONDS)
            tell("registered", asked=sorted(form["register"]["fields"]))
        except IqError as error:
            tell("not-registered", condition=error.condition, text=error.text)
            await self.disconnect()

    def dials(self):
        direct = self.login["security"] == "direct"
        self.connect(self.address_told, use_ssl=direct, force_starttls=not direct, disable_starttls=direct)
        # It takes an IPv6 address for the name that the certificate is for.
        self.default_domain = self.boundjid.host

    def comes_back(self, _):
        if not self.leaving:
            self.dials()

    async def get_dns_records(self, domain, port=None):
        # Left alone, slixmpp 1.8 asks the DNS of the machine first, whatever address it is told.
        return [(self.boundjid.host, *self.address_told)]

    async def started(self, _):
        # Requests are answered by us, not by slixmpp's own policy.
        self.roster.auto_authorize = None
        self.roster.auto_subscribe = False
        for node in self.login.get("interests", []):
            self["xep_0163"].add_interest(node)
        await self["xep_0115"].update_caps(broadcast=False)
        await self.get_roster()
        if not self.login.get("quiet"):
            self.send_presence()
        tell("started", jid=str(self.boundjid), mechanism=self["feature_mechanisms"].mech.name)

    def message_came(self, message):
        if all(message.xml.find(name) is None for name in OTHER_THAN_MESSAGES):
            tell("message", type=message["type"], xml=text_of(message), **said(message))

    def carbon_came(self, direction, carbon):
        tell("carbon", direction=direction, **said(carbon))

    def presence_came(self, presence):
        tell("presence", sender=str(presence["from"]), type=presence["type"], xml=text_of(presence))

    def pubsub_came(self, message):
        tell("pubsub", sender=str(message["from"]), node=message["pubsub_event"]["items"]["node"], xml=text_of(message))

    async def upload_service(self):
        # The plugin's own search hands coroutines to asyncio.wait, which Python 3.11 no longer takes.
        for jid, _, _ in (await self["xep_0030"].get_items(jid=self.boundjid.host))["disco_items"]["items"]:
            info = (await self["xep_0030"].get_info(jid=jid))["disco_info"]
            if any(identity[:2] == ("store", "file") for identity in info["identities"]):
                return slixmpp.JID(jid)
        raise LookupError("no upload service")

    async def archived(self, command):
        pages = self["xep_0313"].iterate(rsm={"max": 10, "after": command["after"]})
        return [said(result["mam_result"]["forwarded"]["stanza"]) async for result in pages]

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
        if do == "change-password":
            await self["xep_0077"].change_password(command["password"])
            return {}
        if do == "unregister":
            await self["xep_0077"].cancel_registration()
            return {}
        if do == "disconnect":
            self.leaving = True
            await self.disconnect()
            return {}
        if do == "carbons":
            await self["xep_0280"].enable()
            return {}
        if do == "archive":
            return {"messages": await self.archived(command)}
        if do == "state":
            {"active": self["xep_0352"].send_active, "inactive": self["xep_0352"].send_inactive}[command["state"]]()
            return {}
        if do == "contacts":
            # As it was pushed: asked again, the server only says that nothing has changed since.
            return {"contacts": {jid: self.client_roster[jid]["subscription"] for jid in self.client_roster
                                 if self.client_roster[jid]["subscription"] != "none"}}
        if do == "iq":
            iq = self.make_iq(ito=command.get("to"), itype=command["type"])
            iq.xml.append(ElementTree.fromstring(command["payload"]))
            answer = await iq.send(timeout=REQUEST_SECONDS)
            return {"xml": text_of(answer)}
        if do == "upload":
            # Needs aiohttp, which no other command does.
            self.register_plugin("xep_0363")
            self["xep_0363"].upload_service = await self.upload_service()
            return {"link": await self["xep_0363"].upload_file(Path(command["file"]))}
        if do == "download":
            from aiohttp import ClientSession
            async with ClientSession() as session, session.get(command["link"]) as answer:
                Path(command["file"]).write_bytes(await answer.read())
                return {"status": answer.status, "type": answer.content_type}
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
    login = json.loads(sys.argv[1])
    actor = Actor(login)
    if "mechanism" in login:
        actor["feature_mechanisms"].use_mech = login["mechanism"]
        actor["feature_mechanisms"].sasl_callback = without_channel_binding(actor["feature_mechanisms"].sasl_callback)
    actor.ca_certs = Path(login["ca"])
    actor.dials()
    await obey_lines(actor.answer)
    actor.leaving = True
    await actor.disconnect(wait=1)


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    asyncio.run(main())
