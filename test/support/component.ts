/** A component's end of its stream: it says who it is, proves it, and then speaks as anybody at its domain. */
import { createHash } from "node:crypto";
import { connect } from "node:net";
import { once } from "node:events";
import { NS } from "../../src/xmpp/ns.ts";
import { ClientStream } from "./stream.ts";

export class ComponentActor extends ClientStream {
  /** The domain that it is. */
  readonly name: string;

  private constructor(socket: ReturnType<typeof connect>, port: number, name: string) {
    super(socket, { domain: name, port, tls: "none", ca: "", content: NS.component });
    this.name = name;
  }

  /** A connection on which nothing was said yet. */
  static async connects(port: number, name: string): Promise<ComponentActor> {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    await once(socket, "connect");
    return new ComponentActor(socket, port, name);
  }

  /** One that is connected as a component. */
  static async joins(port: number, name: string, secret: string): Promise<ComponentActor> {
    const component = await ComponentActor.connects(port, name);
    await component.handshakes(secret);
    await component.receives("<handshake/>");
    return component;
  }

  /** Sends the header, reads the server's, and sends what proves the secret. */
  async handshakes(secret: string): Promise<void> {
    const { id = "" } = await this.opens({ xmlns: NS.component, version: undefined });
    this.raw(`<handshake>${createHash("sha1").update(`${id}${secret}`).digest("hex")}</handshake>`);
  }
}
