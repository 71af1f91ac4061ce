import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { send } from "../../clients/http";

/* How long a server may think, over real HTTP on loopback. */

let server: Server;
let url: URL;

beforeAll(async () => {
  server = createServer((_, answer) => {
    // Longer than the 5 s of Node's shared agent.
    void sleep(6_000).then(() => answer.end("thought"));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

test("a server that thinks for some seconds is heard", async () => {
  await expect(send(url, {})).resolves.toMatchObject({ status: 200, body: "thought" });
});

test("one that is silent for longer than the caller waits is not", async () => {
  await expect(send(url, { timeout: 200 })).rejects.toMatchObject({ code: "ETIMEDOUT" });
});
