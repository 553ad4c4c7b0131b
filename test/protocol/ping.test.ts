/** XEP-0199: XMPP Ping. */
import { test } from "node:test";
import { cast } from "../support/cast.ts";

const ping = "<ping xmlns='urn:xmpp:ping'/>";

test("the server answers for itself, and for the account of who asks", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const { juliet } = stage.actors;
  const { domain } = stage;
  await juliet.asks(
    `<iq type='get' to='${domain}'>${ping}</iq>`,
    `<iq type='result' from='${domain}' to='${juliet.full}'/>`,
  );
  await juliet.asks(
    `<iq type='get' to='${juliet.bare}'>${ping}</iq>`,
    `<iq type='result' from='${juliet.bare}'/>`,
  );
  await juliet.asks(`<iq type='get'>${ping}</iq>`, "<iq type='result'/>");
});

test("a ping does not tell which accounts there are", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} });
  const { juliet, romeo } = stage.actors;
  for (const bare of [romeo.bare, stage.bare("nobody")]) {
    await juliet.asks(
      `<iq type='get' to='${bare}'>${ping}</iq>`,
      `<iq type='error' from='${bare}'>${ping}<error type='cancel'>
         <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`,
    );
  }
});

test("a ping to a client is the client's to answer", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} }, { friends: [["juliet", "romeo"]] });
  const { juliet, romeo } = stage.actors;
  juliet.sends(`<iq type='get' id='e2e' to='${romeo.full}'>${ping}</iq>`);
  const request = await romeo.receives(
    `<iq type='get' from='${juliet.full}' to='${romeo.full}'>${ping}</iq>`,
  );
  romeo.answers(request);
  await juliet.receives(`<iq type='result' id='e2e' from='${romeo.full}' to='${juliet.full}'/>`);
});
