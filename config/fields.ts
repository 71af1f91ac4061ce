import { z } from "zod";
import { isAddress } from "./cidr";

/* Fields that several sections of the configuration have. */

export const address = z
  .string()
  .refine(isAddress, { error: "an IPv4 address, such as 10.25.20.1" });

export const port = z.int().min(1).max(65535);

export const identifier = z.string().regex(/^[A-Za-z][\w.-]*$/, {
  error: "a Proxmox identifier: a letter, then letters, digits, _ . -",
});

/** An image that can only ever mean one thing: name, version tag and digest, never `latest`. */
export const pinnedImage = z
  .string()
  .regex(/^[a-z0-9][\w.:/-]*:[\w][\w.-]*@sha256:[0-9a-f]{64}$/, {
    error:
      "an image with version and digest, such as docker.io/portainer/agent:2.39.1@sha256:<64 hex digits>",
  })
  .refine((name) => !/:latest@/.test(name), {
    error: "a version tag other than latest",
  });
