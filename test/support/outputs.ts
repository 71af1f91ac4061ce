import type { Contract } from "../../contract/schema";
import { FINGERPRINT, HOST_KEY } from "./mocks";

/** Outputs of a stack with one node behind a forwarded ssh port, as another stack reads them. */
export const OUTPUTS: Contract = {
  contract: 1,
  nodes: {
    "proj-docker02": {
      name: "proj-docker02",
      vmId: 2019,
      address: "10.25.20.24",
      sshUser: "ubuntu",
      dockerHost: "ssh://ubuntu@127.0.0.1:2222",
      hostKey: HOST_KEY,
      agentUrl: "https://10.25.20.24:9001",
      agentFingerprint: FINGERPRINT,
      networks: {
        "astronomy-compute-secondary": {
          id: "id-of-the-network",
          driver: "bridge",
          subnet: "172.19.1.0/24",
          gateway: "172.19.1.1",
        },
      },
      volumes: ["research-data"],
      monitoring: [],
      engineVersion: "29.10.0",
      apiVersion: "1.52",
    },
  },
};
