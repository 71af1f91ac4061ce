/**
 * `docker-node import` from its command line to the stack's file. `pulumi`, `ssh` and `ssh-keyscan` are scripts; Proxmox is a
 * server that has the API's answers. The node is the one that test/fixtures/import recorded.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import type { Server } from "node:https";
import { join } from "node:path";
import { parse } from "yaml";
import { runCommandLine } from "../../commands/cli";
import type { Tree } from "../../config/tree";
import { answering, close, listen, selfSigned } from "../support/portainer";
import { usePrograms, type Programs } from "../support/programs";

const RECORDED = JSON.parse(
  readFileSync(join(__dirname, "../fixtures/import/proj-docker01.json"), "utf8"),
) as Record<string, string>;
const HOST_KEY = "ssh-ed25519 AAAAHostKey";
const VM = { vmid: 2014, type: "qemu", name: "proj-docker01", node: "pve01", status: "running" };
const ANSWERS: Readonly<Record<string, unknown>> = {
  "/cluster/resources?type=vm": [VM],
  "/nodes/pve01/qemu/2014/config": {
    ...{ name: "proj-docker01", cores: 2, memory: "32768", cpu: "host", onboot: 1 },
    ...{ scsihw: "virtio-scsi-pci", scsi0: "nvme-pool:vm-2014-disk-0,discard=on,size=24G" },
    ...{ ide2: "nvme-pool:vm-2014-cloudinit,media=cdrom" },
    net0: "virtio=BC:24:11:F8:C1:A3,bridge=vmbr0,tag=20",
    ipconfig0: "ip=10.25.20.23/24,gw=10.25.20.1",
  },
  "/nodes/pve01/qemu/2014/firewall/rules": [],
};

let server: Server;
let endpoint: string;
let programs: Programs;
let answers: Readonly<Record<string, unknown>>;
let file: string;

beforeAll(async () => {
  server = answering(selfSigned(), (request, response) => {
    const data = answers[(request.url ?? "").replace("/api2/json", "")];
    response.writeHead(data === undefined ? 403 : 200).end(JSON.stringify({ data }));
  });
  endpoint = await listen(server);
});
afterAll(() => {
  close(server);
});

const wire = (facts: Record<string, string>): string =>
  Object.entries(facts)
    .map(([name, text]) => `${name} ${Buffer.from(text).toString("base64")}\n`)
    .join("");

beforeEach(() => {
  answers = ANSWERS;
  programs = usePrograms();
  const agent = `docker.io/portainer/agent:2.39.1@sha256:${"7".repeat(64)}`;
  const config = {
    "docker-node:proxmox": { endpoint: `${endpoint}/`, insecure: true },
    "docker-node:proxmoxApiToken": "automation@pve!pulumi=secret-of-a-test",
    "docker-node:defaults": {
      ssh: { privateKeyFile: "~/.ssh/key" },
      portainer: { server: "10.25.10.11", agent: { image: agent } },
    },
  };
  const shown = Object.entries(config).map(([name, value]) => [
    name,
    typeof value === "string" ? { value } : { objectValue: value },
  ]);
  programs.write("config", JSON.stringify(Object.fromEntries(shown)));
  programs.write("facts", wire(RECORDED));
  programs.add("pulumi", `[[ $1 == config ]] && exec cat "$FOLDER/config"; exit 255`);
  programs.add(
    "ssh",
    `printf '%s\\n' "$@" >"$FOLDER/asked"; cat >"$FOLDER/script"; cat "$FOLDER/facts"`,
  );
  programs.add("ssh-keyscan", `echo "# sshd"; echo "10.25.20.23 ${HOST_KEY}"`);
  mkdirSync(join(programs.folder, "project"));
  file = join(programs.folder, "project", "Pulumi.prod.yaml");
  writeFileSync(file, "# Ours.\nconfig:\n  docker-node:configVersion: 1\n");
});
afterEach(() => {
  programs.dispose();
});

interface Imported {
  readonly status: number;
  readonly said: string;
  readonly output: string;
  readonly questions: string[];
}

async function runImport(answer: boolean, ...more: string[]): Promise<Imported> {
  const said: string[] = [];
  const output: string[] = [];
  const questions: string[] = [];
  const args = [
    "import",
    "2014",
    "--stack",
    "prod",
    "--no-plan",
    "--cwd",
    join(file, ".."),
    ...more,
  ];
  const status = await runCommandLine(args, {
    print: (text) => void output.push(text),
    warn: (text) => void said.push(text),
    ask: (question) => {
      questions.push(question);
      return Promise.resolve(answer);
    },
  });
  return { status, said: said.join("\n"), output: output.join("\n"), questions };
}

const nodes = (): Tree =>
  ((parse(readFileSync(file, "utf8")) as { config: Tree }).config["docker-node:nodes"] ??
    {}) as Tree;

describe("a VM that fits", () => {
  test("is written after both questions, with the host key that was shown", async () => {
    const { status, output, questions } = await runImport(true);
    expect(questions).toEqual(["Is that the node? It gets pinned.", `Write this to ${file}?`]);
    expect(output).toContain("10.25.20.23:22 has the host key SHA256:");
    expect(status).toBe(0);
    expect(nodes()).toMatchObject({
      "proj-docker01": { machine: { vmId: 2014 }, ssh: { hostKey: HOST_KEY } },
    });
    expect(readFileSync(file, "utf8")).toMatch(
      /^# Ours\.\nconfig:\n {2}docker-node:configVersion: 1\n/,
    );
  });

  test("is read through a connection that pins this key, by a script on standard input", async () => {
    await runImport(true);
    expect(programs.read("asked")).toMatch(
      /StrictHostKeyChecking=yes[^]*ubuntu@10\.25\.20\.23\nsudo -n bash -s\n$/,
    );
    expect(programs.read("script")).toMatch(/^NODE_USER='ubuntu'\n/);
  });

  test("is written once: again, it is there already", async () => {
    await runImport(true);
    const before = readFileSync(file, "utf8");
    const { status, output, questions } = await runImport(true);
    expect([status, questions.length, readFileSync(file, "utf8")]).toEqual([0, 1, before]);
    expect(output).toContain("has proj-docker01 already, just so");
  });

  test("gets the name and the place that the command line gives", async () => {
    const { status } = await runImport(
      true,
      "--name",
      "other",
      "--ssh",
      "astronomer@127.0.0.1:2222",
      "--yes",
    );
    expect(status).toBe(0);
    expect(nodes()).toMatchObject({
      other: { ssh: { user: "astronomer", endpoint: { host: "127.0.0.1", port: 2222 } } },
    });
  });

  test("with --yes nobody is asked, and --json prints one object and nothing else", async () => {
    const { status, output, questions, said } = await runImport(false, "--yes", "--json");
    expect([status, questions]).toEqual([0, []]);
    expect(JSON.parse(output)).toMatchObject({ name: "proj-docker01", written: true });
    expect(said).toContain("has the host key");
  });

  test("the secret of an agent that runs is asked for before up", async () => {
    expect((await runImport(true)).output).toContain("pulumi config set --secret agentSecret");
  });
});

describe("nothing is written", () => {
  const unchanged = async (answer: boolean, ...more: string[]): Promise<Imported> => {
    const before = readFileSync(file, "utf8");
    const imported = await runImport(answer, ...more);
    expect([imported.status, readFileSync(file, "utf8")]).toEqual([1, before]);
    return imported;
  };

  test("after a no to the host key, and the node is not even asked", async () => {
    const { questions } = await unchanged(false);
    expect(questions).toHaveLength(1);
    expect(programs.read("asked")).toBe("");
  });

  test("after a no to the text", async () => {
    const { questions } = await unchanged(false, "--host-key", HOST_KEY);
    expect(questions).toEqual([`Write this to ${file}?`]);
  });

  test("where the key that answered is not the node's own", async () => {
    programs.add("ssh-keyscan", `echo "10.25.20.23 ssh-ed25519 AAAAAnother"`);
    const { said } = await unchanged(true);
    expect(said).toContain("is 10.25.20.23:22 the node?");
  });

  test("where something is in the way: it is named, and not even the text is shown", async () => {
    const { output, questions } = await unchanged(true, "--ssh", "admin@10.25.20.23");
    expect(questions).toHaveLength(1);
    expect(output).toMatch(/In the way:\n +group docker +admin is not in it/);
  });

  test.each<[string, () => void, RegExp]>([
    [
      "sshd does not answer",
      () => {
        programs.add("ssh-keyscan", "exit 1");
      },
      /no sshd with an ed25519 host key answers at 10\.25\.20\.23:22/,
    ],
    [
      "the script breaks off",
      () => {
        programs.write("facts", "hostname eA==\n");
      },
      /the node's answer is incomplete/,
    ],
    [
      "sudo wants a password",
      () => {
        programs.add("ssh", `cat >/dev/null; echo 'sudo: a password is required' >&2; exit 1`);
      },
      /^10\.25\.20\.23: .*a password is required|: 10\.25\.20\.23: .*a password is required/m,
    ],
    [
      "the token may not see the VM",
      () => {
        answers = {};
      },
      /GET \/cluster\/resources\?type=vm: .*403.*docker-node doctor says more/,
    ],
    [
      "Proxmox knows no address",
      () => {
        answers = { ...ANSWERS, "/nodes/pve01/qemu/2014/config": { name: "x" } };
      },
      /no static ipconfig0\): --ssh user@address/,
    ],
    [
      "its name cannot be a node's",
      () => {
        answers = { ...ANSWERS, "/cluster/resources?type=vm": [{ ...VM, name: "A_B" }] };
      },
      /name of VM 2014: "A_B"; allowed: .*--name gives it another/,
    ],
  ])("where %s", async (_, prepare, message) => {
    prepare();
    expect((await unchanged(true)).said).toMatch(message);
  });

  test("where another node of the stack has the name", async () => {
    writeFileSync(
      file,
      "config:\n  docker-node:nodes:\n    proj-docker01:\n      machine: { vmId: 9 }\n",
    );
    expect((await unchanged(true)).said).toContain("another node proj-docker01 already");
  });
});
