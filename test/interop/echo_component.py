"""A small component (XEP-0114) with slixmpp: it says what it hears, and what it is.

Usage: echo_component.py <port> <domain> <secret>; it prints a line once it is connected, and one for each fault.
"""
import sys

import slixmpp


class Echo(slixmpp.ComponentXMPP):
    def __init__(self, port, domain, secret):
        super().__init__(domain, secret, "127.0.0.1", int(port), use_jc_ns=False)
        self.register_plugin("xep_0030")
        self["xep_0030"].add_identity(category="client", itype="bot", name="Echo", jid=self.boundjid.full)
        self.add_event_handler("session_start", lambda _: self.tell(f"online as {self.boundjid}"))
        self.add_event_handler("stream_error", lambda error: self.tell(f"fault: {error['condition']}"))
        self.add_event_handler("message", self.answers)

    def tell(self, line):
        print(line, flush=True)

    def answers(self, message):
        if message["type"] != "error" and message["body"]:
            answer = message.reply(f"{message['body']}, you say")
            answer["id"] = message["id"]
            answer.send()


echo = Echo(*sys.argv[1:])
echo.connect()
echo.process()
