/**
 * Images written as OCI layouts, ready for `crane push`. The one layer is gzip without compression, because some tools take
 * no other layers than gzip. Nothing carries a time, so the same content has the same digest.
 */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { gzipSync } from "node:zlib";

import { makeTarball, type TarEntry } from "./tar";

export interface ImageSpec {
  repository: string;
  tag: string;
  files: TarEntry[];
  /** The runtime part of the image configuration: Cmd, Entrypoint, WorkingDir, Env, Labels, ExposedPorts, Healthcheck. */
  config: {
    Cmd?: string[];
    Entrypoint?: string[];
    WorkingDir?: string;
    Env?: string[];
    Labels?: Record<string, string>;
    ExposedPorts?: Record<string, object>;
    /** Durations in nanoseconds, as Docker has them; an extension of the image specification. */
    Healthcheck?: {
      Test: string[];
      Interval: number;
      Timeout: number;
      StartPeriod: number;
      Retries: number;
    };
  };
}

export interface ImageReference {
  repository: string;
  tag: string;
  digest: string;
}

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  annotations?: Readonly<Record<string, string>>;
}

const REFERENCE = "org.opencontainers.image.ref.name";
const OCI = "application/vnd.oci.image";

const digestOf = (content: Buffer): string =>
  `sha256:${createHash("sha256").update(content).digest("hex")}`;

/** Stores one blob under its digest. */
function addBlob(layout: string, mediaType: string, content: Buffer): Descriptor {
  const digest = digestOf(content);
  const blobs = path.join(layout, "blobs", "sha256");
  fs.mkdirSync(blobs, { recursive: true });
  fs.writeFileSync(path.join(blobs, digest.slice("sha256:".length)), content);
  return { mediaType, digest, size: content.length };
}

const wrapLayer = (content: Buffer): Buffer => gzipSync(content, { level: 0 });

const toJson = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

/** Writes an image for linux/amd64 into a directory; returns its reference. */
export async function writeLayout(layout: string, image: ImageSpec): Promise<ImageReference> {
  const tar = await makeTarball(image.files);
  const layer = addBlob(layout, `${OCI}.layer.v1.tar+gzip`, wrapLayer(tar));
  const config = addBlob(
    layout,
    `${OCI}.config.v1+json`,
    toJson({
      created: "1970-01-01T00:00:00Z",
      architecture: "amd64",
      os: "linux",
      config: image.config,
      rootfs: { type: "layers", diff_ids: [digestOf(tar)] },
    }),
  );
  return finishLayout(layout, image, config, layer);
}

/** Writes an artifact, which is no image: files in one layer, with media types and the name of an archive. */
export async function writeArtifact(
  layout: string,
  artifact: Omit<ImageSpec, "config">,
  media: { readonly config: string; readonly layer: string; readonly title: string },
): Promise<ImageReference> {
  const blob = addBlob(layout, media.layer, wrapLayer(await makeTarball(artifact.files)));
  const layer = { ...blob, annotations: { "org.opencontainers.image.title": media.title } };
  return finishLayout(layout, artifact, addBlob(layout, media.config, toJson({})), layer);
}

/** Writes the manifest and the index that names it. */
function finishLayout(
  layout: string,
  image: Pick<ImageSpec, "repository" | "tag">,
  config: Descriptor,
  layer: Descriptor,
): ImageReference {
  const mediaType = `${OCI}.manifest.v1+json`;
  const manifest = toJson({ schemaVersion: 2, mediaType, config, layers: [layer] });
  const descriptor = addBlob(layout, mediaType, manifest);
  const annotations = { [REFERENCE]: `${image.repository}:${image.tag}` };
  fs.writeFileSync(path.join(layout, "oci-layout"), toJson({ imageLayoutVersion: "1.0.0" }));
  const manifests = [{ ...descriptor, annotations }];
  fs.writeFileSync(path.join(layout, "index.json"), toJson({ schemaVersion: 2, manifests }));
  return { repository: image.repository, tag: image.tag, digest: descriptor.digest };
}

/** The reference of the image in a layout written here. */
export function readLayout(layout: string): ImageReference {
  const index = JSON.parse(fs.readFileSync(path.join(layout, "index.json"), "utf8")) as {
    manifests: [{ digest: string; annotations: Record<string, string> }];
  };
  const { digest, annotations } = index.manifests[0];
  const [repository = "", tag = ""] = (annotations[REFERENCE] ?? "").split(":");
  return { repository, tag, digest };
}
