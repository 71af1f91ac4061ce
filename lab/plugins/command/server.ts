/**
 * A stand-in for `pulumi-resource-command` 1.2.1, for places that cannot download it: it serves
 * `command:remote:Command`, `command:local:Command` and `command:remote:CopyToRemote`, and no other
 * resource of that provider. It is not upstream's code. Its behaviour follows the API docs of the Command provider,
 * the npm package @pulumi/command and the issues named in these files; where upstream's own
 * behaviour and its documentation differ, the difference is noted at the place.
 *
 * Pulumi starts it by the launcher next to this file, with its own address as the only
 * argument, and reads the port from the first line.
 */
import * as grpc from "@grpc/grpc-js";
import { ResourceProviderService } from "@pulumi/pulumi/proto/provider_grpc_pb";
import { Provider } from "./service";

const PARENT_CHECK_MS = 2000;

export function serve(provider: Provider): Promise<{ server: grpc.Server; port: number }> {
  const server = new grpc.Server({
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
  });
  server.addService(ResourceProviderService, provider.makeHandlers());
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(error);
      else resolve({ server, port });
    });
  });
}

/** A pulumi that is killed does not end the plugin, upstream's neither: what it runs goes on, and it ends after that. */
function outlivePulumi(provider: Provider): void {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent && provider.idle) process.exit(1);
  }, PARENT_CHECK_MS).unref();
}

export async function main(pulumiAddress?: string): Promise<void> {
  const provider = new Provider(pulumiAddress);
  outlivePulumi(provider);
  const { port } = await serve(provider);
  process.stdout.write(`${port}\n`);
}
