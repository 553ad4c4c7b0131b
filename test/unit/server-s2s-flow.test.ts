/** What one domain may cost. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DomainFlows } from "../../src/server/s2s-flow.ts";

const burst = 20_000;
const domain = "montague.example";

function flows(): { flows: DomainFlows; pass(ms: number): void } {
  let now = 0;
  return { flows: new DomainFlows(() => now), pass: (ms) => void (now += ms) };
}

/** Spends so many small stanzas; the last wait. */
function spend(flows: DomainFlows, count: number, bytes = 100): number {
  let wait = 0;
  for (let n = 0; n < count; n += 1) wait = flows.spend(domain, bytes);
  return wait;
}

describe("the flow of a domain", () => {
  it("takes much at once, and then as much as comes back in a second", () => {
    const { flows: all, pass } = flows();
    all.enter(domain, false);
    assert.equal(spend(all, burst), 0);
    assert.equal(spend(all, 5_000), 1_000);
    pass(1_000);
    assert.equal(spend(all, 5_000), 1_000);
    pass(60_000);
    assert.equal(spend(all, burst), 0);
  });

  it("counts bytes as well", () => {
    const { flows: all } = flows();
    all.enter(domain, false);
    assert.equal(spend(all, 128, 262_144), 0);
    assert.equal(spend(all, 32, 262_144), 1_000);
  });

  it("is one for all its streams, and of no other domain", () => {
    const { flows: all } = flows();
    all.enter(domain, false);
    all.enter(domain, false);
    all.enter("verona.example", false);
    spend(all, burst);
    assert.ok(spend(all, 1) > 0);
    assert.equal(all.spend("verona.example", 100), 0);
  });

  it("is remembered where the streams end and begin again", () => {
    const { flows: all, pass } = flows();
    all.enter(domain, false);
    spend(all, burst);
    all.leave(domain);
    all.enter(domain, false);
    assert.ok(spend(all, 1) > 0);
    pass(60_000);
    all.leave(domain);
    assert.equal(all.spend(domain, 100), 0);
  });

  it("is of ten streams, and of those that we open", () => {
    const { flows: all } = flows();
    for (let n = 0; n < 10; n += 1) assert.ok(all.enter(domain, false));
    assert.ok(!all.enter(domain, false));
    assert.ok(all.enter(domain, true));
    all.leave(domain);
    assert.ok(!all.enter(domain, false));
    all.leave(domain);
    assert.ok(all.enter(domain, false));
  });
});
