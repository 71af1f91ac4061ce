/**
 * `pulumi` in a lab. It runs Pulumi's own CLI, and serves the program to it if the command runs one. The CLI by itself would
 * start Pulumi's Node.js language host, which is in no package registry. The Automation API serves inline programs in the
 * same way.
 *
 * Started by the `pulumi` that `cliEnv` puts on the PATH.
 */
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import * as server from "@pulumi/pulumi/automation/server";
import * as language from "@pulumi/pulumi/proto/language_grpc_pb";
import { messageOf } from "../clients/failure";
import { attend } from "./lib/run";
import { CLI_VARIABLE, PROGRAM_VARIABLE, PROJECT_VARIABLE } from "./lib/stack";

/** A part of `@pulumi/pulumi/automation/server` that its types leave out. */
const { LanguageServer } = server as unknown as {
  LanguageServer: new (main: () => Promise<object>) => grpc.UntypedServiceImplementation;
};
const { LanguageRuntimeService } = language as unknown as {
  LanguageRuntimeService: grpc.ServiceDefinition;
};

const RUNS_PROGRAM = ["preview", "pre", "up", "update"];

const runsProgram = (args: readonly string[]): boolean =>
  RUNS_PROGRAM.includes(args[0] ?? "") || args.includes("--run-program");

async function main(args: string[]): Promise<number> {
  const cli = process.env[CLI_VARIABLE];
  const project = process.env[PROJECT_VARIABLE];
  if (!cli || !project) throw new Error(`${CLI_VARIABLE} and ${PROJECT_VARIABLE} are not set`);
  const where = ["--cwd", project];
  if (!runsProgram(args)) return attend(cli, [...args, ...where]);
  const host = new grpc.Server();
  const file = process.env[PROGRAM_VARIABLE] ?? join(__dirname, "../index");
  const { default: program } = (await import(file)) as { default: () => object | Promise<object> };
  const inline = async (): Promise<object> => ({ ...(await program()) });
  host.addService(LanguageRuntimeService, new LanguageServer(inline));
  const client = `--client=127.0.0.1:${await listen(host)}`;
  try {
    return await attend(cli, [...args, ...where, client, "--exec-kind", "auto.inline"]);
  } finally {
    host.forceShutdown();
  }
}

function listen(host: grpc.Server): Promise<number> {
  return new Promise((resolve, reject) => {
    host.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(error);
      else resolve(port);
    });
  });
}

main(process.argv.slice(2)).then(
  (status) => process.exit(status),
  (error: unknown) => {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exit(1);
  },
);
