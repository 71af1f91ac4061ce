/** Asks a registry whether it has an image (OCI distribution specification, "Checking if content exists"). */

/** The parts of a pinned image. */
export interface ImageName {
  readonly host: string;
  readonly repository: string;
  readonly digest: string;
}

const ACCEPT = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

/** Takes `host/repository:tag@digest` apart, with Docker's defaults (distribution/reference, normalize.go). */
export function parseImage(image: string): ImageName {
  const [name = "", digest = ""] = image.split("@");
  const [first = "", ...rest] = name.replace(/:[^:/]+$/, "").split("/");
  const named = /[.:]|^localhost$/.test(first) && rest.length > 0;
  const path = named ? rest : [first, ...rest];
  const docker = !named || first === "docker.io";
  const repository = docker && path.length === 1 ? `library/${path.join("/")}` : path.join("/");
  // Docker Hub's registry has another name than its images (the same file, `DefaultRegistryHost`).
  return { host: docker ? "registry-1.docker.io" : first, repository, digest };
}

/** The status of a HEAD request for the image's manifest, with the anonymous token the registry asks for. */
export async function headImage(
  { host, repository, digest }: ImageName,
  scheme: "http" | "https",
  patience: number,
): Promise<number> {
  const signal = AbortSignal.timeout(patience);
  const url = `${scheme}://${host}/v2/${repository}/manifests/${digest}`;
  const askHead = (headers: Record<string, string>): Promise<Response> =>
    fetch(url, { method: "HEAD", headers: { Accept: ACCEPT, ...headers }, signal });
  const answer = await askHead({});
  const realm = tokenUrl(answer.headers.get("www-authenticate") ?? "", repository);
  if (answer.status !== 401 || !realm) return answer.status;
  const granted = (await (await fetch(realm, { signal })).json()) as {
    token?: string;
    access_token?: string;
  };
  const token = granted.token ?? granted.access_token ?? "";
  return (await askHead({ Authorization: `Bearer ${token}` })).status;
}

/** Returns the URL for a token, from a challenge such as `Bearer realm="…",service="…"`. */
export function tokenUrl(challenge: string, repository: string): string | undefined {
  if (!/^bearer /i.test(challenge)) return undefined;
  const fields = Object.fromEntries(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value]),
  ) as Record<string, string | undefined>;
  if (!fields["realm"]) return undefined;
  const url = new URL(fields["realm"]);
  if (fields["service"]) url.searchParams.set("service", fields["service"]);
  url.searchParams.set("scope", fields["scope"] ?? `repository:${repository}:pull`);
  return url.href;
}
