/** `pipit federation`: what is said about a domain, and what can be done about it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { federationLines, federationText } from "../../src/federation-report.ts";
import type { RouteStatus } from "../../src/server/federation.ts";

const failing = (problem: string, condition = "remote-server-timeout"): RouteStatus => ({
  ...{ local: "capulet.example", domain: "montague.example", state: "failing" },
  ...{ since: new Date(0), queued: 1, oldest: new Date(0), attempts: 1, nextTry: new Date(5_000) },
  ...{ problem, condition },
});

const advice: [problem: string, condition: string, RegExp][] = [
  ["its certificate has expired", "remote-server-timeout", /^Its operator has to install/],
  [
    "it does not believe that we are capulet.example (error); perhaps it does not trust our certificate",
    "remote-server-timeout",
    /tls\.cert/,
  ],
  ["the connection was reset while it checked our certificate", "remote-server-timeout", /tls\.cert/],
  ["DNS knows no server for montague.example", "remote-server-not-found", /how the name is written/],
  ["it does not let us in (policy-violation)", "not-allowed", /s2s\.allow and s2s\.deny/],
  ["nothing listens there", "remote-server-timeout", /tried again by itself/],
];
for (const [problem, condition, expected] of advice) {
  test(`where ${problem}`, () => {
    const [line] = federationLines([failing(problem, condition)]);
    assert.match(line!.advice!, expected);
  });
}

test("a line says since when, how often, what and why, those that fail first", () => {
  const connected: RouteStatus = {
    ...failing(""),
    ...{ local: "feeds.capulet.example", domain: "a.example", state: "connected", queued: 0 },
    ...{ problem: undefined, condition: undefined, attempts: 0, nextTry: undefined },
  };
  const text = federationText(
    federationLines([connected, failing("nothing listens there")]),
    "capulet.example",
  );
  assert.deepEqual(text.split("\n"), [
    "montague.example: failing since 1970-01-01T00:00:00Z (1 try, the next at 1970-01-01T00:00:05Z); 1 waits. " +
      "nothing listens there. It is tried again by itself; if this is so with all domains, look at this machine's network and DNS.",
    "a.example (from feeds.capulet.example): connected since 1970-01-01T00:00:00Z; nothing waits",
  ]);
});
