import { z } from "zod";
import { isPem } from "../certificates";
import {
  contains,
  isAddress,
  isAddress6,
  isCidr,
  isCidr6,
  plainAddress,
  toCanonical,
} from "../cidr";

/* Fields that several sections of the configuration have. */

/** Says what is allowed, and of an IPv6 address, where it goes instead. */
const expectIpv4 =
  (allowed: string) =>
  ({ input }: { readonly input?: unknown }): string =>
    String(input).includes(":")
      ? `${allowed}; for IPv6 see docs/reference/configuration.md#ipv6`
      : allowed;

/** An IPv4 address. */
export const address = z
  .string()
  .refine(isAddress, { error: expectIpv4("an IPv4 address, such as 10.25.20.1") });

/** A TCP or UDP port. */
export const port = z.int().min(1).max(65535);

/** A name of something in Proxmox VE, such as a datastore or a node. */
export const identifier = z.string().regex(/^[A-Za-z][\w.-]*$/, {
  error: "a Proxmox identifier: a letter, then letters, digits, _ . -",
});

/** An image that always means the same content: name, version tag and digest, never `latest`. */
export const pinnedImage = z
  .string()
  .regex(/^[a-z0-9][\w.:/-]*:[\w][\w.-]*@sha256:[0-9a-f]{64}$/, {
    error:
      "an image with version and digest, such as docker.io/portainer/agent:2.39.1@sha256:<64 hex digits>",
  })
  .refine((name) => !/:latest@/.test(name), {
    error: "a version tag other than latest",
  });

/** An IPv4 address with the length of its network's prefix. */
export const cidr = z.string().refine(isCidr, {
  error: expectIpv4("an IPv4 address with prefix length, such as 10.25.20.24/24"),
});

/** Of IPv6, what a network of hosts can have: unique local and global unicast addresses (RFC 4193; RFC 4291, section 2.4). */
const HOSTS_6 = ["fc00::/7", "2000::/3"];

const isOfHosts = (text: string): boolean => HOSTS_6.some((block) => contains(block, text));

/** Why another spelling is refused: Docker tells its own, and the difference would replace what it is part of. */
const SPELLED = "as RFC 5952 and Docker spell it";

/** An IPv6 address of a host, in the spelling of RFC 5952. */
export const address6 = z
  .string()
  .refine(isAddress6, { error: "an IPv6 address, such as fd25:28::1", abort: true })
  .refine(isOfHosts, { error: `an address of a host, in ${HOSTS_6.join(" or ")}`, abort: true })
  .refine((text) => plainAddress(text) === text, {
    error: ({ input }) => `${plainAddress(String(input)) ?? ""}, ${SPELLED}`,
  });

/**
 * An IPv6 network in the spelling of RFC 5952. Docker keeps its first address, and the gateway has another, so containers get
 * the rest (moby, libnetwork/ipams/defaultipam/allocator.go, newPoolData).
 */
export const cidr6 = z
  .string()
  .refine(isCidr6, {
    error: "an IPv6 network with prefix length, such as fd25:28::/64",
    abort: true,
  })
  .refine(isOfHosts, { error: `a network of hosts, in ${HOSTS_6.join(" or ")}`, abort: true })
  .refine((text) => Number(text.split("/")[1]) <= 126, {
    error: "a prefix length of 126 at most, which leaves containers two addresses",
    abort: true,
  })
  .refine((text) => toCanonical(text) === text, {
    error: ({ input }) => `the network itself, ${SPELLED}: ${toCanonical(String(input))}`,
  });

/** A name that is also a host name. */
export const hostLabel = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, {
  error:
    "a host name: lower-case letters, digits and inner hyphens, 63 characters at most (RFC 1123)",
});

/** Names Docker gives to networks, volumes and containers (moby daemon/names/names.go). */
export const dockerName = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/, {
  error: "a Docker name of two characters or more: letters, digits, and after the first also _ . -",
});

/** A variable of an environment. */
export const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, {
  error: "a variable's name: letters, digits and _, no digit first",
});

/** A Linux account, as useradd takes it (useradd(8), CAVEATS). */
export const userName = z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/, {
  error:
    "a user name: lower-case letters, digits, _ and -, no digit or - first, 32 characters at most",
});

/** A public key as OpenSSH writes it. */
export const publicKey = z
  .string()
  .regex(/^(ssh-ed25519|ecdsa-sha2-nistp\d{3}|ssh-rsa|sk-[\w@.-]+) [A-Za-z0-9+/=]+( [^\n]*)?$/, {
    error: "an OpenSSH public key on one line, such as `ssh-ed25519 AAAA… name`",
  });

/**
 * A host key that every client can check. RSA keys are refused: the command plugin uses the key's type as the name of
 * the signature algorithm, and `ssh-rsa` means SHA-1, which sshd refuses since OpenSSH 8.8 (pulumi-command 1.2.1,
 * provider/pkg/provider/remote/connection.go).
 */
export const hostKey = z
  .string()
  .regex(/^(ssh-ed25519|ecdsa-sha2-nistp\d{3}) [A-Za-z0-9+/=]+( [^\n]*)?$/, {
    error: ({ input }) =>
      /^ssh-rsa /.test(String(input))
        ? "the node's ed25519 or ecdsa host key, such as /etc/ssh/ssh_host_ed25519_key.pub: with an RSA key the connection asks for SHA-1 signatures, which sshd refuses"
        : "an ed25519 or ecdsa host key on one line, such as `ssh-ed25519 AAAA… name`",
  });

/**
 * A fingerprint as `proxmox-backup-manager cert info` and OpenSSL print it. PVE accepts no other form (pve-common,
 * JSONSchema.pm).
 */
export const fingerprint = z.string().regex(/^([0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}$/, {
  error: "a SHA-256 fingerprint: 32 pairs of hex digits with colons between them",
});

/** Certificates as PEM. They are public, so the stack file holds them as they are. */
export const certificate = z
  .string()
  .regex(/^-----BEGIN CERTIFICATE-----\n[^]+-----END CERTIFICATE-----\s*$/, {
    error: "a certificate as PEM text, from -----BEGIN CERTIFICATE----- on",
    abort: true,
  })
  .refine(isPem, { error: "a certificate that can be read, as `openssl x509 -text` reads it" });
const ABSOLUTE_PATH = /^(\/[\w@%+=.-]+)+$/;

/** A path without `.` and `..` that a shell and systemd take as it is. */
export const absolutePath = z
  .string()
  .refine((path) => ABSOLUTE_PATH.test(path) && !/\/\.{1,2}(\/|$)/.test(path), {
    error: "an absolute path of letters, digits and _ @ % + = . -, such as /opt/compose",
  });
