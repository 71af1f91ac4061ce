/** Builds the messages of the provider protocol that are more than one field. */
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import * as plugin from "@pulumi/pulumi/proto/plugin_pb";
import * as proto from "@pulumi/pulumi/proto/provider_pb";
import * as grpc from "@grpc/grpc-js";
import type { Checked } from "./check";
import { messageOf } from "./operations";
import type { PropertyChange } from "./resource";
import { packageSchema, VERSION } from "./schema";
import type { Props } from "./values";

export function toProps(struct: Struct | undefined): Props {
  return struct?.toJavaScript() ?? {};
}

const kinds = {
  add: [proto.PropertyDiff.Kind.ADD, proto.PropertyDiff.Kind.ADD_REPLACE],
  delete: [proto.PropertyDiff.Kind.DELETE, proto.PropertyDiff.Kind.DELETE_REPLACE],
  update: [proto.PropertyDiff.Kind.UPDATE, proto.PropertyDiff.Kind.UPDATE_REPLACE],
} as const;

export function diffResponse(changes: Map<string, PropertyChange>): proto.DiffResponse {
  const { DIFF_SOME, DIFF_NONE } = proto.DiffResponse.DiffChanges;
  const response = new proto.DiffResponse();
  response.setChanges(changes.size > 0 ? DIFF_SOME : DIFF_NONE);
  response.setHasdetaileddiff(true);
  const topOf = (path: string): string => /^[^.[]+/.exec(path)?.[0] ?? path;
  const replaces = [...changes].filter(([, { replace }]) => replace);
  response.setDiffsList([...new Set([...changes.keys()].map(topOf))]);
  response.setReplacesList([...new Set(replaces.map(([path]) => topOf(path)))]);
  for (const [path, { change, replace }] of changes) {
    const detail = new proto.PropertyDiff();
    detail.setKind(kinds[change][replace ? 1 : 0]);
    response.getDetaileddiffMap().set(path, detail);
  }
  return response;
}

export function checkResponse({ inputs, failures }: Checked): proto.CheckResponse {
  const response = new proto.CheckResponse();
  response.setInputs(Struct.fromJavaScript(inputs));
  response.setFailuresList(
    failures.map(({ property, reason }) => {
      const failure = new proto.CheckFailure();
      failure.setProperty(property);
      failure.setReason(reason);
      return failure;
    }),
  );
  return response;
}

/**
 * Secrets stay marked in both directions. Previews are supported. Output values are not
 * understood.
 */
export function handshakeResponse(): proto.ProviderHandshakeResponse {
  const response = new proto.ProviderHandshakeResponse();
  response.setAcceptSecrets(true);
  response.setAcceptResources(true);
  return response;
}

export function configureResponse(): proto.ConfigureResponse {
  const response = new proto.ConfigureResponse();
  response.setAcceptsecrets(true);
  response.setAcceptresources(true);
  response.setSupportspreview(true);
  return response;
}

export function schemaResponse(): proto.GetSchemaResponse {
  const response = new proto.GetSchemaResponse();
  response.setSchema(packageSchema());
  return response;
}

export function pluginInfo(): plugin.PluginInfo {
  const info = new plugin.PluginInfo();
  info.setVersion(VERSION);
  return info;
}

/**
 * The host is not asked: what is known is returned as it is, so that a refresh never finds drift
 * (#20).
 */
export function readResponse(request: proto.ReadRequest): proto.ReadResponse {
  const response = new proto.ReadResponse();
  response.setId(request.getId());
  response.setProperties(request.getProperties());
  response.setInputs(request.getInputs());
  return response;
}

/** Turns a function into a gRPC handler; an error it throws is what pulumi shows. */
export function makeUnary<Request, Response>(
  answer: (request: Request) => Response | Promise<Response>,
): grpc.handleUnaryCall<Request, Response> {
  return ({ request }, callback) => {
    const fail = (error: unknown): void => {
      callback({ code: grpc.status.UNKNOWN, details: messageOf(error) });
    };
    void (async () => answer(request))().then((response) => {
      callback(null, response);
    }, fail);
  };
}
