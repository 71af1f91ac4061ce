/** clients/ssh.ts: what reaches a node, and what a person is told when it does not. `ssh` is a script that runs what it is given. */
import { run } from "../../clients/process";
import { asRoot, quoteWord, runScript, sshShell } from "../../clients/ssh";
import { privateKey } from "../support/key";
import { usePrograms, type Programs } from "../support/programs";
import { prodNode } from "../support/settings";

const HOST_KEY = "ssh-ed25519 AAAAHostKey";
const key = privateKey();
const node = (): ReturnType<typeof prodNode> => prodNode({ ssh: key.ssh });
let programs: Programs;

beforeEach(() => {
  programs = usePrograms();
  // As sshd does it: the last argument is read by a shell.
  programs.add("ssh", `printf '%s\\n' "$@" >"$FOLDER/args"; exec bash -c "\${!#}"`);
  programs.add("sudo", `echo "$*" >"$FOLDER/sudo"; [[ $1 != -n ]] || shift; exec "$@"`);
});
afterEach(() => {
  programs.dispose();
});

const args = (): string[] => programs.read("args").trimEnd().split("\n");

describe("a script", () => {
  test("is read by root's bash from standard input, and never on a command line", async () => {
    const said = await runScript(
      { user: "ubuntu", host: "10.25.20.24", port: 2222 },
      ["-o", "BatchMode=yes"],
      "TOKEN='secret-of-a-test'; echo \"$# $TOKEN\"",
    );
    expect(said).toBe("0 secret-of-a-test\n");
    expect(args()).toEqual([
      ...["-o", "BatchMode=yes", "-p", "2222", "ubuntu@10.25.20.24"],
      "sudo -n bash -s",
    ]);
    expect(programs.read("sudo")).toBe("-n bash -s\n");
  });

  test("of the node gets its variables, and its output comes back trimmed", async () => {
    const shell = sshShell(node(), HOST_KEY, ["-v"]);
    programs.add("docker", `echo "docker $*"`);
    programs.add("bash", `cat >"$FOLDER/script"; echo '  {"Version":"29"}  '`);
    programs.add("ssh", `printf '%s\\n' "$@" >"$FOLDER/args"; exec bash`);
    const variables = { METHOD: "GET", REQUEST_PATH: "/info's" };
    expect(await shell.script("recovery/api", variables)).toBe('{"Version":"29"}');
    expect(programs.read("script")).toContain(`REQUEST_PATH='/info'\\''s'`);
    expect(args()).toContain("-v");
  });

  test("reaches only a machine that has the pinned host key", async () => {
    await sshShell(node(), HOST_KEY)
      .script("ready", {})
      .catch(() => undefined);
    expect(args()).toContain("StrictHostKeyChecking=yes");
    expect(args().join("\n")).toContain("AAAAHostKey");
    expect(args()).toContain(key.file);
  });
});

describe("a failure names the machine", () => {
  const target = { user: "ubuntu", host: "10.25.20.24", port: 22 };

  test("with the last line of the script", async () => {
    await expect(
      runScript(target, [], "echo began; echo 'no space left' >&2; exit 3"),
    ).rejects.toThrow(/^10\.25\.20\.24: .*no space left/s);
  });

  test("and asks about a changed host key", async () => {
    programs.add("ssh", `echo 'Host key verification failed.' >&2; exit 255`);
    await expect(runScript(target, [], "true")).rejects.toThrow(
      /^10\.25\.20\.24 \(its host key is not the pinned one: is it the same machine\?\): /,
    );
  });

  test("and says how to get ssh", async () => {
    programs.dispose();
    const path = process.env.PATH;
    process.env.PATH = programs.folder;
    try {
      await expect(runScript(target, [], "true")).rejects.toThrow("apt install openssh-client");
    } finally {
      process.env.PATH = path;
    }
  });
});

describe("a program on the workstation", () => {
  test("feeds a command of the node", async () => {
    const shell = sshShell(node(), HOST_KEY);
    const from = { program: "printf", args: ["%s", "line one\nline two\n"] };
    expect(await shell.feed(["tr", "a-z", "A-Z"], from)).toBe("LINE ONE\nLINE TWO");
    expect(args().at(-1)).toBe("sudo -n tr a-z A-Z");
  });

  test("that fails is named, even where the node is content", async () => {
    programs.add("backup", `echo 'no such snapshot' >&2; exit 1`);
    const fed = sshShell(node(), HOST_KEY).feed(["cat"], { program: "backup", args: [] });
    await expect(fed).rejects.toThrow("no such snapshot");
  });
});

test("a command can be typed: words that a shell would take apart are quoted", async () => {
  const command = ["docker", "run", "a b", "$HOME", "it's", ""];
  const { args: given } = asRoot({ user: "u", host: "h", port: 22 }, [], command);
  expect(given.at(-1)).toBe(`sudo -n docker run 'a b' '$HOME' 'it'\\''s' ''`);
  expect(sshShell(node(), HOST_KEY).shown(["ls", "a b"])).toBe(
    "ssh ubuntu@10.25.20.24 sudo ls 'a b'",
  );
  expect(quoteWord("/plain-1.2:3,4=5@x%y+z")).toBe("/plain-1.2:3,4=5@x%y+z");
  programs.add("show", `printf '<%s>' "$@"`);
  const line = `show ${command.map(quoteWord).join(" ")}`;
  expect(await run({ program: "bash", args: ["-c", line] })).toBe(
    "<docker><run><a b><$HOME><it's><>",
  );
});
