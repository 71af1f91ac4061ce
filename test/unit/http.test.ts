/** clients/http.ts, against a server of Node's that takes its time. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { send } from "../../clients/http";

const SILENT_MS = 6000;
const server = createServer((_, answer) => {
  setTimeout(() => answer.end("at last"), SILENT_MS);
});
let url: URL;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

// Node's own agent gives a connection five seconds.
test("a server may be silent for as long as it likes, unless the caller says otherwise", async () => {
  const patient = send(url, {});
  await expect(send(url, { timeout: 1000 })).rejects.toMatchObject({ code: "ETIMEDOUT" });
  await expect(patient).resolves.toMatchObject({ status: 200, body: "at last" });
}, 20_000);
