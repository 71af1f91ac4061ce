import { bootedWith } from "../../config/boot";
import { prodNode } from "../support/settings";

const BEFORE = bootedWith(prodNode());

test.each([
  { machine: { cpu: { cores: 7 } } },
  { machine: { cpu: { type: "host" } } },
  { machine: { memoryGiB: 17 } },
  { machine: { disk: { aio: "native" } } },
  { machine: { agentTimeoutSeconds: 11 } },
  { network: { dnsServers: ["10.25.10.9"] } },
  { network: { searchDomain: "other.example.org" } },
  { network: { ipv6: { address: "2001:db8::24/64", gateway: "2001:db8::1" } } },
  { network: { nics: [{ bridge: "vmbr1", address: "10.25.31.24/24" }] } },
  { override: { machine: { watchdog: { enabled: true } } } },
])("the provider reboots the machine for %j, and the steps wait", (change) => {
  expect(bootedWith(prodNode(change))).not.toBe(BEFORE);
});

test.each([
  { machine: { tags: ["other"] } },
  { machine: { proxmoxNode: "pve02" } },
  { machine: { disk: { sizeGiB: 65 } } },
  { network: { vlan: 21 } },
  { engine: { version: "29.9.9" } },
])("nothing boots for %j", (change) => {
  expect(bootedWith(prodNode(change))).toBe(BEFORE);
});

test("an override, which may hold a secret, is not in it", () => {
  const secret = { override: { machine: { description: "hunter2hunter2" } } };
  expect(bootedWith(prodNode(secret))).toMatch(/^\d+ cores, \d+ GiB, [0-9a-f]{12}$/);
});
