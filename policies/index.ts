/** The policy pack: `pulumi preview --policy-pack policies`. Each policy puts rules to the inputs of resources. */
import { PolicyPack } from "@pulumi/policy";
import { POLICIES } from "./policies";

new PolicyPack("docker-node", { enforcementLevel: "mandatory", policies: [...POLICIES] });
