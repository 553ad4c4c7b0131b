/** RFC 6120 §6.4.5: guessing passwords gets slow, and mistyping them does not. */
import assert from "node:assert";
import { test } from "node:test";
import { LoginThrottle, networkOf, UnboundConnections } from "../../src/server/throttle.ts";

/** A throttle, and a clock in seconds to turn by hand. */
function throttle() {
  const clock = { seconds: 1_000 };
  return { clock, throttle: new LoginThrottle(() => clock.seconds * 1_000) };
}

const refused = { condition: "temporary-auth-failure" };

function fail(throttle: LoginThrottle, times: number, address: string, account: (n: number) => string): void {
  for (let n = 0; n < times; n += 1) throttle.failed(address, account(n));
}

test("a few failures cost nothing", () => {
  const { throttle: t } = throttle();
  fail(t, 5, "192.0.2.1", () => "ana");
  t.check("192.0.2.1", "ana");
});

test("an account that is guessed at has to wait, from wherever it is tried", () => {
  const { throttle: t, clock } = throttle();
  fail(t, 6, "192.0.2.1", () => "ana");
  assert.throws(() => t.check("198.51.100.7", "ana"), refused);
  t.check("192.0.2.1", "bob");
  clock.seconds += 2;
  t.check("198.51.100.7", "ana");
});

test("the wait doubles, and ends within a minute for an account", () => {
  const { throttle: t, clock } = throttle();
  fail(t, 8, "192.0.2.1", () => "ana");
  clock.seconds += 3;
  assert.throws(() => t.check("192.0.2.2", "ana"), refused);
  fail(t, 30, "192.0.2.1", () => "ana");
  clock.seconds += 59;
  assert.throws(() => t.check("192.0.2.2", "ana"), refused);
  clock.seconds += 2;
  t.check("192.0.2.2", "ana");
});

test("guessing at many accounts from one network blocks the network", () => {
  const { throttle: t } = throttle();
  fail(t, 11, "2001:db8:1:2::1", (n) => `account${n}`);
  assert.throws(() => t.check("2001:db8:1:2:ffff::9", "ana"), refused);
  t.check("2001:db8:1:3::1", "ana");
});

test("failures are forgotten one by one", () => {
  const { throttle: t, clock } = throttle();
  for (let minute = 0; minute < 60; minute += 1) {
    fail(t, 1, "192.0.2.1", () => "ana");
    t.check("192.0.2.1", "ana");
    clock.seconds += 61;
  }
});

test("an owner gets in from where they were before while others guess", () => {
  const { throttle: t } = throttle();
  t.succeeded("192.0.2.1", "ana");
  fail(t, 20, "203.0.113.5", (n) => (n % 2 ? "ana" : "bob"));
  t.check("192.0.2.1", "ana");
  assert.throws(() => t.check("198.51.100.7", "ana"), refused);
});

test("a login clears the account and not the network", () => {
  const { throttle: t } = throttle();
  fail(t, 20, "192.0.2.1", () => "ana");
  t.succeeded("198.51.100.7", "ana");
  t.check("203.0.113.5", "ana");
  assert.throws(() => t.check("192.0.2.1", "bob"), refused);
});

test("the memory of the throttle is bounded", () => {
  const { throttle: t } = throttle();
  fail(t, 11, "192.0.2.1", (n) => `account${n}`);
  for (let n = 0; n < 20_001; n += 1) t.failed(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`, "bob");
  t.check("192.0.2.1", "ana");
});

test("connections without a resource are counted by network", () => {
  const unbound = new UnboundConnections();
  for (let n = 0; n < 256; n += 1) assert(unbound.enter("192.0.2.1"));
  assert(!unbound.enter("192.0.2.1"));
  assert(unbound.enter("192.0.2.2"));
  unbound.leave("192.0.2.1");
  assert(unbound.enter("192.0.2.1"));
  assert(!unbound.enter("192.0.2.1"));
});

test("a network is an IPv4 address or half of an IPv6 one", () => {
  assert.equal(networkOf("192.0.2.1"), "192.0.2.1");
  const same = ["2001:db8::1", "2001:0DB8:0:0:ffff::", "2001:db8:0:0:1:2:3:4", "2001:db8::"];
  for (const address of same) assert.equal(networkOf(address), "2001:db8:0:0::/64", address);
  assert.equal(networkOf("::1"), "0:0:0:0::/64");
  assert.equal(networkOf("fe80::1%eth0"), "fe80:0:0:0::/64");
  assert.equal(networkOf("2001:db8:0:1:2:3:4:5"), "2001:db8:0:1::/64");
});
