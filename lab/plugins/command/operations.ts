/** What a running operation knows of pulumi: where to log, and whether to stop. */
import * as grpc from "@grpc/grpc-js";
import { EngineClient } from "@pulumi/pulumi/proto/engine_grpc_pb";
import { LogRequest, LogSeverity } from "@pulumi/pulumi/proto/engine_pb";

/**
 * "status" is shown while the operation runs and then forgotten, as upstream does with the output
 * of commands.
 */
export type Level = "status" | "debug" | "warning" | "error";
export type Log = (level: Level, message: string) => void;

/** One create, update or delete of one resource. */
export interface Operation {
  log: Log;
  /** Aborted when pulumi cancels, or when the resource's time is over. As in upstream, only dialing looks at it. */
  signal: AbortSignal;
}

const severities: Record<Level, LogSeverity> = {
  status: LogSeverity.INFO,
  debug: LogSeverity.DEBUG,
  warning: LogSeverity.WARNING,
  error: LogSeverity.ERROR,
};

export function messageOf(error: unknown): string {
  const { message } = (error ?? {}) as { message?: unknown };
  return typeof message === "string" ? message : String(error);
}

/** Sends messages to pulumi. As long as its address is not known, messages are dropped. */
export class PulumiLog {
  private client: EngineClient | undefined;
  private address = "";
  private readonly pending = new Set<Promise<void>>();

  connect(address: string): void {
    if (!address || address === this.address) return;
    this.address = address;
    this.client = new EngineClient(address, grpc.credentials.createInsecure());
  }

  send(urn: string, level: Level, message: string): void {
    const request = new LogRequest();
    request.setUrn(urn);
    request.setSeverity(severities[level]);
    request.setMessage(message);
    request.setEphemeral(level === "status");
    const sent = new Promise<void>((resolve) => {
      // A message that cannot be delivered does not fail its operation.
      if (this.client)
        this.client.log(request, () => {
          resolve();
        });
      else resolve();
    });
    this.pending.add(sent);
    void sent.then(() => this.pending.delete(sent));
  }

  /** Waits until pulumi has every message, so that none arrives after its operation has ended. */
  async flush(): Promise<void> {
    await Promise.all(this.pending);
  }
}

/** The operations under way, and the way to stop those that still dial. */
export class Operations {
  private readonly controllers = new Set<AbortController>();

  /**
   * Runs an operation. It ends with an error when it is cancelled or, unless `timeout` is 0, after that
   * many seconds.
   */
  async run<T>(log: Log, timeout: number, body: (operation: Operation) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const expire = (): void => {
      controller.abort(new Error("context deadline exceeded"));
    };
    const timer = timeout > 0 ? setTimeout(expire, timeout * 1000) : undefined;
    this.controllers.add(controller);
    try {
      return await body({ log, signal: controller.signal });
    } finally {
      clearTimeout(timer);
      this.controllers.delete(controller);
    }
  }

  get idle(): boolean {
    return this.controllers.size === 0;
  }

  cancel(): void {
    for (const controller of this.controllers) controller.abort(new Error("context canceled"));
  }
}
