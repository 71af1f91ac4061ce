/**
 * The part of ssh2's inside that opens a session and asks for an answer to each request in it: its
 * public interface sends environment variables without asking, while upstream asks and fails
 * (pulumi-command#48, #430, #584). It belongs to the one version of ssh2 that package.json names.
 */
import type { Client, ClientChannel } from "ssh2";

type OpenCallback = ((error: Error | undefined, channel: ClientChannel) => void) & {
  type?: string;
};

interface Inside {
  _chanMgr: { add: (callback: OpenCallback) => number };
  _protocol: {
    session: (channel: number, window: number, packet: number) => void;
    env: (channel: number, name: string, value: string, wantReply: boolean) => void;
    exec: (channel: number, command: string, wantReply: boolean) => void;
  };
}

interface InsideChannel {
  outgoing: { id: number };
  _callbacks: ((failed: boolean) => void)[];
}

const WINDOW = 2 * 1024 * 1024;
const PACKET = 32 * 1024;

/** A session before and while it runs its command. */
export class Session {
  private constructor(
    readonly channel: ClientChannel,
    private readonly inside: Inside,
  ) {}

  static async open(client: Client): Promise<Session> {
    const inside = client as unknown as Inside;
    const channel = await new Promise<ClientChannel>((resolve, reject) => {
      const onOpen: OpenCallback = (error, session) => {
        if (error) reject(error);
        else resolve(session);
      };
      onOpen.type = "session";
      inside._protocol.session(inside._chanMgr.add(onOpen), WINDOW, PACKET);
    });
    return new Session(channel, inside);
  }

  /** Whether the server took the variable. */
  setVariable(name: string, value: string): Promise<boolean> {
    return this.waitForReply((id) => {
      this.inside._protocol.env(id, name, value, true);
    });
  }

  /** Whether the server started the command. */
  async start(command: string): Promise<boolean> {
    const started = await this.waitForReply((id) => {
      this.inside._protocol.exec(id, command, true);
    });
    if (started) this.channel.subtype = "exec";
    return started;
  }

  private get ids(): InsideChannel {
    return this.channel as unknown as InsideChannel;
  }

  /**
   * The answers come in the order of the requests; a session that closes meanwhile counts as a
   * refusal.
   */
  private waitForReply(request: (id: number) => void): Promise<boolean> {
    return new Promise((resolve) => {
      this.ids._callbacks.push((failed) => {
        resolve(!failed);
      });
      request(this.ids.outgoing.id);
    });
  }
}
