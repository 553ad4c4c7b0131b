/** XEP-0114 with the libraries that people write components with: @xmpp/component, and slixmpp from Debian. */
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { cast } from "../support/cast.ts";
import { missingPython, Program } from "./software.ts";

const secret = "correct horse";
const info = "http://jabber.org/protocol/disco#info";
const items = "http://jabber.org/protocol/disco#items";

const libraries = {
  "@xmpp/component": {
    skip: false as const,
    start: (...args: string[]) =>
      new Program(process.execPath, [fileURLToPath(new URL("echo-component.js", import.meta.url)), ...args]),
  },
  slixmpp: {
    skip: missingPython("slixmpp"),
    start: (...args: string[]) =>
      new Program("/usr/bin/python3", [
        fileURLToPath(new URL("../../../test/interop/echo_component.py", import.meta.url)),
        ...args,
      ]),
  },
};

for (const [name, { skip, start }] of Object.entries(libraries)) {
  test(`an echo component with ${name} is a part of the server`, { skip }, async (t) => {
    await using stage = await cast(t, { juliet: {} }, { config: { components: { echo: { secret } } } });
    const { juliet } = stage.actors;
    const port = String(stage.node.ports.component);
    {
      await using liar = start(port, "echo.pipit.test", "wrong");
      await liar.until("its refusal", (said) => /fault/.exec(said) ?? undefined);
    }
    await using echo = start(port, "echo.pipit.test", secret);
    await echo.until("its connection", (said) => /online as echo\.pipit\.test/.exec(said) ?? undefined);
    juliet.sends(
      "<message to='anna@echo.pipit.test/x' type='chat' id='m1'><body>O Romeo &amp; co.</body></message>",
    );
    await juliet.receives(
      "<message from='anna@echo.pipit.test/x' type='chat' id='m1'><body>O Romeo &amp; co., you say</body></message>",
    );
    await juliet.asks(
      `<iq type='get' to='echo.pipit.test'><query xmlns='${info}'/></iq>`,
      `<iq type='result' from='echo.pipit.test'><query xmlns='${info}'><identity category='client' type='bot' name='Echo'/></query></iq>`,
    );
    await juliet.asks(
      `<iq type='get' to='pipit.test'><query xmlns='${items}'/></iq>`,
      `<iq type='result'><query xmlns='${items}'><item jid='echo.pipit.test'/></query></iq>`,
    );
  });
}
