/** The way to another domain: its servers are found and tried one after the other, until one of them can be used. */
import type { StanzaCondition } from "../xmpp/errors.ts";
import type { S2sContext } from "./s2s-context.ts";
import type { Claim, Verdict } from "./s2s-dialback.ts";
import { dial } from "./s2s-dial.ts";
import type { S2sTarget } from "./s2s-discovery.ts";
import { S2sError, type S2sLink } from "./s2s-link.ts";
import { ConnectionFault, OutgoingStream, type Purpose } from "./s2s-outgoing.ts";

/** Keys that are being verified; each is a connection that a stranger made us open. */
const maxVerifications = 100;

/** A link from a domain of ours to another one; rejects with `S2sError`. */
export async function connectLink(context: S2sContext, local: string, remote: string): Promise<S2sLink> {
  if (!context.policy.permits(remote)) throw new S2sError("not-allowed", `${remote} is denied here`);
  for (const link of context.links) if (link.carries(local, remote)) return link;
  const shared = [...context.links].find((link) => link.extendsTo(remote));
  if (shared && (await shared.prove(local, remote))) return shared;
  return reach(context, local, remote, (resolve) => ({ name: "link", resolve }));
}

/** What the server of a domain says to a key that was given in its name (XEP-0220 §2.1.2), or why it says nothing. */
export async function verifyKey(context: S2sContext, claim: Claim): Promise<Verdict> {
  const { verifications } = context;
  if (verifications.size >= maxVerifications) return "resource-constraint";
  verifications.add(claim);
  try {
    const { local, remote } = claim;
    return await reach<Verdict>(context, local, remote, (resolve) => ({ name: "verify", claim, resolve }));
  } catch (error) {
    if (error instanceof S2sError) {
      context.log.info(
        { domain: claim.remote, reason: error.reason },
        "a dialback key could not be verified",
      );
      return error.condition;
    }
    context.log.error({ err: error }, "a dialback key could not be verified");
    return "internal-server-error";
  } finally {
    verifications.delete(claim);
  }
}

async function reach<Result>(
  context: S2sContext,
  local: string,
  remote: string,
  purpose: (resolve: (result: Result) => void) => Purpose,
): Promise<Result> {
  const since = performance.now();
  const deadline = since + context.timing.negotiation;
  let targets = await find(context, remote);
  const faults: string[] = [];
  while (targets.length > 0) {
    const left = Math.floor(deadline - performance.now());
    if (left <= 0) {
      faults.push("there was no time left for its other servers");
      break;
    }
    const { socket, target } = await dial(targets, { limit: left }).catch((error: Error) =>
      fail("remote-server-timeout", [...faults, error.message], error),
    );
    try {
      return await new Promise<Result>((resolve, reject) => {
        const attempt = { context, local, remote, target, since, purpose: purpose(resolve), reject };
        context.streams.add(new OutgoingStream(attempt, socket));
      });
    } catch (error) {
      if (!(error instanceof ConnectionFault)) throw error;
      faults.push(error.reason);
    }
    targets = targets.filter((one) => one !== target);
  }
  return fail("remote-server-timeout", faults);
}

async function find({ resolver }: S2sContext, remote: string): Promise<readonly S2sTarget[]> {
  const discovery = await resolver.discover(remote);
  switch (discovery.kind) {
    case "targets":
      return discovery.targets;
    case "not-offered":
      return fail("remote-server-not-found", [`${remote} says in DNS that it has no XMPP server`]);
    case "not-found":
      return fail("remote-server-not-found", [`DNS knows no server for ${remote}`]);
    case "failed":
      return fail("remote-server-timeout", [`DNS could not be asked about ${remote}: ${discovery.reason}`]);
  }
}

function fail(condition: StanzaCondition, reasons: readonly string[], cause?: unknown): never {
  throw new S2sError(condition, reasons.join("; "), cause);
}
