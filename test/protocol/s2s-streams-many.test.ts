/** What a peer says of its patience (XEP-0478), and several domains on one stream (XEP-0220 §2.6, XEP-0288). */
import assert from "node:assert/strict";
import { it } from "node:test";
import { NS } from "../../src/xmpp/ns.ts";
import { ours, servers, theirs } from "../support/s2s.ts";

const claim = (remote: string, local = ours): string =>
  `<db:result from='${remote}' to='${local}'>any key</db:result>`;
const answer = (remote: string, type: string, local = ours): string =>
  `<result xmlns='${NS.dialback}' from='${local}' to='${remote}' type='${type}'/>`;

it("a stream of ours ends before its peer would end it", async (t) => {
  const all = await servers(t, { timing: { sweep: 20 } });
  const peer = await all.peer();
  const connecting = all.connects();
  const stream = await peer.accepts();
  await stream.encrypts();
  await stream.welcomes(`<mechanisms xmlns='${NS.sasl}'><mechanism>EXTERNAL</mechanism></mechanisms>`);
  await stream.receives(`<auth xmlns='${NS.sasl}'/>`);
  stream.raw(`<success xmlns='${NS.sasl}'/>`);
  await stream.welcomes(`<limits xmlns='${NS.streamLimits}'><idle-seconds>1</idle-seconds></limits>`);
  const link = await connecting;
  assert.ok(link.carries(ours, theirs));
  assert.deepEqual(await stream.closed(), { clean: true });
});

for (const bidi of ["", `<bidi xmlns='${NS.bidi}'/>`]) {
  it(`each pair that a peer proves is told once${bidi && ", with bidi too"}`, async (t) => {
    const seen: string[] = [];
    const all = await servers(t, { seen: (local, remote) => void seen.push(`${local} ${remote}`) });
    const stream = await (await all.peer()).dials(all.s2s.port!);
    await stream.arrives(bidi);
    for (const [remote, local] of [
      [`pubsub.${theirs}`, ours],
      [`pubsub.${theirs}`, `feeds.${ours}`],
      [`pubsub.${theirs}`, ours],
    ]) {
      stream.raw(claim(remote!, local));
      await stream.receives(answer(remote!, "valid", local));
    }
    assert.deepEqual(seen, [
      `${ours} ${theirs}`,
      `${ours} pubsub.${theirs}`,
      `feeds.${ours} pubsub.${theirs}`,
    ]);
  });
}

it("a certificate for all that is under a domain brings no endless number of them", async (t) => {
  const all = await servers(t);
  const stream = await (await all.peer()).dials(all.s2s.port!);
  await stream.arrives();
  for (let i = 1; i < 100; i += 1) {
    stream.raw(claim(`room${i}.${theirs}`));
    await stream.receives(answer(`room${i}.${theirs}`, "valid"));
  }
  stream.raw(claim(`room100.${theirs}`));
  await stream.receives(answer(`room100.${theirs}`, "error"));
  stream.raw(claim(`room1.${theirs}`));
  await stream.receives(answer(`room1.${theirs}`, "valid"));
});
