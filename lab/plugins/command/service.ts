/**
 * Pulumi's ResourceProvider protocol over the resources; what it leaves out is answered as
 * unimplemented.
 */
import * as grpc from "@grpc/grpc-js";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import type * as plugin from "@pulumi/pulumi/proto/plugin_pb";
import * as proto from "@pulumi/pulumi/proto/provider_pb";
import { command, localCommand } from "./command";
import { copyToRemote } from "./copy";
import { PulumiLog, Operations } from "./operations";
import type { Operation } from "./operations";
import {
  checkResponse,
  configureResponse,
  diffResponse,
  handshakeResponse,
  pluginInfo,
  readResponse,
  schemaResponse,
  toProps,
  makeUnary,
} from "./messages";
import { check, diffInputs, inputsOf, newId, previewCreate, previewUpdate } from "./resource";
import type { Resource } from "./resource";

const resources = new Map(
  [command, localCommand, copyToRemote].map((resource) => [resource.shape.token, resource]),
);

/**
 * The resource a URN is of, and its name:
 * `urn:pulumi:<stack>::<project>::<parents>$<type>::<name>`.
 */
function resolve(urn: string): { resource: Resource; name: string } {
  const [, , types = "", ...name] = urn.split("::");
  const type = types.split("$").pop() ?? "";
  const resource = resources.get(type);
  if (!resource) throw new Error(`the stand-in for the command provider has no resource ${type}`);
  return { resource, name: name.join("::") };
}

export class Provider {
  private readonly operations = new Operations();

  private readonly pulumi = new PulumiLog();

  constructor(pulumiAddress = "") {
    this.pulumi.connect(pulumiAddress);
  }

  /** Everything pulumi asks of a provider of resources, and nothing more. */
  makeHandlers(): grpc.UntypedServiceImplementation {
    return {
      handshake: makeUnary((request: proto.ProviderHandshakeRequest) => {
        this.pulumi.connect(request.getEngineAddress());
        return handshakeResponse();
      }),
      attach: makeUnary((request: plugin.PluginAttach) => {
        this.pulumi.connect(request.getAddress());
        return new Empty();
      }),
      cancel: makeUnary(() => {
        this.operations.cancel();
        return new Empty();
      }),
      getPluginInfo: makeUnary(pluginInfo),
      getSchema: makeUnary(schemaResponse),
      ...this.configHandlers(),
      ...this.resourceHandlers(),
    };
  }

  /** Whether nothing is running. */
  get idle(): boolean {
    return this.operations.idle;
  }

  private configHandlers(): grpc.UntypedServiceImplementation {
    return {
      checkConfig: makeUnary((request: proto.CheckRequest) =>
        checkResponse({ inputs: toProps(request.getNews()), failures: [] }),
      ),
      diffConfig: makeUnary(() => diffResponse(new Map())),
      configure: makeUnary(configureResponse),
    };
  }

  private resourceHandlers(): grpc.UntypedServiceImplementation {
    return {
      check: makeUnary((request: proto.CheckRequest) =>
        checkResponse(check(resolve(request.getUrn()).resource, toProps(request.getNews()))),
      ),
      diff: makeUnary((request: proto.DiffRequest) => {
        const { resource } = resolve(request.getUrn());
        const before = request.hasOldInputs()
          ? toProps(request.getOldInputs())
          : inputsOf(resource, toProps(request.getOlds()));
        return diffResponse(diffInputs(before, toProps(request.getNews())));
      }),
      create: makeUnary((request: proto.CreateRequest) => this.create(request)),
      read: makeUnary(readResponse),
      update: makeUnary((request: proto.UpdateRequest) => this.update(request)),
      delete: makeUnary((request: proto.DeleteRequest) => this.delete(request)),
    };
  }

  /** Runs an operation. All its messages reach pulumi before its answer does. */
  private async run<T>(request: Timed, body: (operation: Operation) => Promise<T>): Promise<T> {
    const log = this.pulumi.send.bind(this.pulumi, request.getUrn());
    try {
      return await this.operations.run(log, request.getTimeout(), body);
    } finally {
      await this.pulumi.flush();
    }
  }

  private async create(request: proto.CreateRequest): Promise<proto.CreateResponse> {
    const { resource, name } = resolve(request.getUrn());
    const inputs = toProps(request.getProperties());
    const response = new proto.CreateResponse();
    const state = request.getPreview()
      ? previewCreate(resource, inputs)
      : await this.run(request, (operation) => resource.create(operation, inputs));
    if (!request.getPreview()) response.setId(newId(resource, name));
    response.setProperties(Struct.fromJavaScript(state));
    return response;
  }

  private async update(request: proto.UpdateRequest): Promise<proto.UpdateResponse> {
    const { resource } = resolve(request.getUrn());
    const state = toProps(request.getOlds());
    const inputs = toProps(request.getNews());
    const response = new proto.UpdateResponse();
    const next = request.getPreview()
      ? previewUpdate(resource, state, inputs)
      : await this.run(request, (operation) => resource.update(operation, state, inputs));
    response.setProperties(Struct.fromJavaScript(next));
    return response;
  }

  private async delete(request: proto.DeleteRequest): Promise<Empty> {
    const { resource } = resolve(request.getUrn());
    const state = toProps(request.getProperties());
    await this.run(request, async (operation) => resource.delete?.(operation, state));
    return new Empty();
  }
}

interface Timed {
  getUrn(): string;
  getTimeout(): number;
}
