/**
 * Stands in for Pulumi's Node.js language host, a Go program that comes with Pulumi's releases and is in no package registry. As that
 * one does, it starts the program in a process of its own by `@pulumi/pulumi/cmd/run`, which compiles the TypeScript, tells errors and
 * ends with its own status (language host, main.go). It installs no dependencies and finds no plugins.
 *
 * Pulumi starts it by the launcher next to this file, with its own address as the last argument, and reads the port from the first
 * line; the lines after that are shown.
 */
import { spawn } from "node:child_process";
import * as grpc from "@grpc/grpc-js";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import * as services from "@pulumi/pulumi/proto/language_grpc_pb";
import {
  GetRequiredPluginsResponse,
  RunResponse,
  type RunRequest,
} from "@pulumi/pulumi/proto/language_pb";
import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";

/** A part that its types leave out. */
const { LanguageRuntimeService } = services as unknown as {
  LanguageRuntimeService: grpc.ServiceDefinition;
};

/** The status of a program that has told its error. */
const TOLD = 32;

type Answer<T> = (error: null, response: T) => void;

const handlers = {
  getPluginInfo: (_: unknown, answer: Answer<PluginInfo>): void => {
    answer(null, new PluginInfo().setVersion("0.0.0"));
  },
  getRequiredPlugins: (_: unknown, answer: Answer<GetRequiredPluginsResponse>): void => {
    answer(null, new GetRequiredPluginsResponse());
  },
  cancel: (_: unknown, answer: Answer<Empty>): void => {
    answer(null, new Empty());
  },
  run: ({ request }: { request: RunRequest }, answer: Answer<RunResponse>): void => {
    runProgram(request).then(
      (status) => {
        answer(null, toResponse(status));
      },
      (error: unknown) => {
        answer(null, new RunResponse().setError(String(error)));
      },
    );
  },
};

/** Runs the program; its exit status. */
function runProgram(request: RunRequest): Promise<number | null> {
  const program = spawn(process.execPath, runArgs(request), {
    cwd: request.getPwd(),
    stdio: "inherit",
    env: {
      ...process.env,
      PULUMI_CONFIG: JSON.stringify(Object.fromEntries(request.getConfigMap().entries())),
      PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
      PULUMI_NODEJS_TYPESCRIPT: "true",
    },
  });
  return new Promise((resolve, reject) => {
    program.on("error", reject);
    program.on("close", resolve);
  });
}

function runArgs(request: RunRequest): string[] {
  const info = request.getInfo();
  const options = {
    monitor: request.getMonitorAddress(),
    engine: process.argv.at(-1),
    organization: request.getOrganization(),
    project: request.getProject(),
    "root-directory": info?.getRootDirectory(),
    stack: request.getStack(),
    pwd: request.getPwd(),
    parallel: request.getParallel(),
  };
  return [
    require.resolve("@pulumi/pulumi/cmd/run", { paths: [request.getPwd()] }),
    ...Object.entries(options).flatMap(([name, value]) =>
      value ? [`--${name}`, String(value)] : [],
    ),
    ...(request.getDryrun() ? ["--dry-run"] : []),
    info?.getEntryPoint() || ".",
    ...request.getArgsList(),
  ];
}

function toResponse(status: number | null): RunResponse {
  if (status === 0) return new RunResponse();
  if (status === TOLD) return new RunResponse().setBail(true);
  return new RunResponse().setError(`Program exited with non-zero exit code: ${status}`);
}

const server = new grpc.Server();
server.addService(LanguageRuntimeService, handlers);
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.stdout.write(`${port}\n`);
});
