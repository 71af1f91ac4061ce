import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import {
  LocalWorkspace,
  PulumiCommand,
  type PulumiFn,
  type Stack,
} from "@pulumi/pulumi/automation";
import { pulumiEnv, ensurePulumi, type PulumiHome } from "../../lab/lib/pulumi";
import { log } from "./support";

/** The real pulumi without a lab, in a folder that is gone after the tests of a file. */
export class BarePulumi {
  /** Where the project and its state lie. */
  folder = "";
  private pulumi?: PulumiHome;

  constructor() {
    beforeAll(async () => {
      this.pulumi = await ensurePulumi(log);
      this.folder = fs.mkdtempSync(path.join(os.tmpdir(), "docker-node-pulumi-"));
      const project = "name: docker-node\nruntime: nodejs\n";
      fs.writeFileSync(path.join(this.folder, "Pulumi.yaml"), project);
      fs.mkdirSync(path.join(this.folder, "state"));
    }, 30 * 60_000);
    afterAll(() => {
      fs.rmSync(this.folder, { recursive: true, force: true });
    });
  }

  /** A stack that runs this program, made if it is not there. */
  async open(stackName: string, program: PulumiFn): Promise<Stack> {
    if (!this.pulumi) throw new Error("no pulumi before the tests");
    return LocalWorkspace.createOrSelectStack(
      { stackName, projectName: "docker-node", program },
      {
        workDir: this.folder,
        pulumiHome: this.pulumi.home,
        pulumiCommand: await PulumiCommand.get({ root: this.pulumi.root }),
        envVars: {
          ...pulumiEnv(this.pulumi),
          PULUMI_BACKEND_URL: `file://${path.join(this.folder, "state")}`,
          PULUMI_CONFIG_PASSPHRASE: "test",
        },
      },
    );
  }
}
