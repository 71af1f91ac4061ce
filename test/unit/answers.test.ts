import { z } from "zod";
import { AnswerError, parseAnswer, parseJson } from "../../clients/answer";
import { ask } from "../../clients/proxmox";
import { listBackups } from "../../clients/proxmox-storage";
import { readHardware } from "../../commands/import/hardware";
import { parseFacts } from "../../commands/import/facts";
import { takeInventory } from "../../commands/site/inventory";
import { datastores, guests } from "../../clients/proxmox-answers";

/** An answer of another shape is an error that says what was asked, where, and what was found. */

const answering = (answer: unknown) => (): Promise<unknown> => Promise.resolve(answer);

test("fields that are not read may have any value", async () => {
  const guest = { vmid: 2019, node: "pve01", status: "running", uptime: 7, tags: "a;b" };
  expect(await ask(answering([guest]), "/cluster/resources?type=vm", guests)).toEqual([guest]);
});

test("the message names the field and the first three differences, and shows no map", () => {
  const answer = [{ storage: 1, type: { secret: "x" }, content: null, avail: "1" }];
  expect(() => parseAnswer(datastores, answer, "GET /x")).toThrow(
    new AnswerError(
      "the answer to GET /x is not as expected: 0.storage: 1; allowed: a text; 0.type: a map; allowed: a text; 0.content: null; allowed: a text",
    ),
  );
  expect(() => parseAnswer(datastores, {}, "GET /x")).toThrow(/all: a map; allowed: a list/);
});

test("text that is no JSON is not shown", () => {
  expect(() => parseJson(z.unknown(), "<html>secret", "GET /x")).toThrow(
    new AnswerError("the answer to GET /x is not JSON"),
  );
});

test("backups and hardware of Proxmox", async () => {
  await expect(listBackups(answering([{ ctime: 1 }]), "pve01", "pbs01", 2019)).rejects.toThrow(
    "the answer to GET /nodes/pve01/storage/pbs01/content?content=backup&vmid=2019 of Proxmox VE is not as expected: 0.volid: missing; allowed: a text",
  );
  await expect(readHardware({ get: answering({ vmid: 7 }) }, 7)).rejects.toThrow(
    "the answer to GET /cluster/resources?type=vm of Proxmox VE is not as expected: all: a map; allowed: a list",
  );
});

const wire = (facts: Record<string, string>): string =>
  Object.entries({ ...facts, end: "" })
    .map(([name, text]) => `${name} ${Buffer.from(text).toString("base64")}`)
    .join("\n");

test("facts of a node", () => {
  expect(() => parseFacts(wire({ volumes: '{"Name":"a"}\n{"Name":7}' }))).toThrow(
    "the answer to volumes of inspect.sh is not as expected: Driver: missing; allowed: a text",
  );
  expect(() => parseFacts(wire({ addresses: "oops" }))).toThrow(
    "the answer to addresses of inspect.sh is not JSON",
  );
});

test("the inventory of a node", async () => {
  const shell = { script: () => Promise.resolve('{"root":"/x","containers":[{"Id":"1"}]}') };
  await expect(takeInventory(shell as never)).rejects.toThrow(
    /^the answer to recovery\/inventory\.sh is not as expected: containers\.0\.Name: missing; /,
  );
});
