/** The mirror as an HTTP server. */
import * as fs from "node:fs";
import * as http from "node:http";
import * as path from "node:path";

import { sendDownload, sendFile, sendText } from "./respond";
import { route, type Archive, type ArchiveFile } from "./rules";
import { Store } from "./store";

export interface MirrorOptions {
  /** Base address of each archive. */
  upstreams: Record<Archive, string>;
  /** Where fetched files are kept. */
  cache: string;
  /** The lab's own files, served below `/files/`. */
  files: string;
  /** The lab's copy of Docker's repository, served below `/docker/`; may not be there. */
  docker: string;
  /** Takes one line for each request. */
  access: (line: string) => void;
}

/** What the access log tells besides the response itself. */
type Note = (note: string) => void;

async function serveArchive(
  store: Store,
  wanted: ArchiveFile,
  request: http.IncomingMessage,
  response: http.ServerResponse,
  note: Note,
): Promise<void> {
  const found = await store.find(wanted);
  if (found.kind === "refused") {
    sendText(response, found.status, "the upstream archive has no such file");
  } else if (found.kind === "file") {
    note(found.from);
    await sendFile(request, response, found.file, { "X-Cache": found.from });
  } else if (request.headers.range === undefined) {
    note("miss");
    await sendDownload(request, response, found.download, { "X-Cache": "miss" });
  } else {
    // A part can be cut only from a complete file; the next lookup finds it on disk.
    await found.download.finished;
    await serveArchive(store, wanted, request, response, note);
  }
}

/** A file of the lab: a regular one below its directory. */
async function serveLabFile(
  directory: string,
  name: string,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const file = path.join(directory, name);
  const stat = await fs.promises.stat(file).catch(() => undefined);
  if (stat?.isFile()) await sendFile(request, response, file);
  else sendText(response, 404, "the lab has no such file");
}

/** Errors become plain words while nothing has been sent, and a cut connection afterwards. */
function fail(response: http.ServerResponse, error: unknown): void {
  if (response.headersSent) response.destroy();
  else sendText(response, 502, `the package mirror could not get this: ${String(error)}`);
}

function logAccess(request: http.IncomingMessage, response: http.ServerResponse, log: Note): Note {
  const started = Date.now();
  let remark = "-";
  response.once("close", () => {
    const end = response.writableFinished ? "" : " broken-off";
    const line = `${request.method ?? ""} ${JSON.stringify(request.url)} ${response.statusCode}`;
    const time = new Date(started).toISOString();
    log(`${time} ${line} ${remark} ${Date.now() - started}ms${end}`);
  });
  return (note) => (remark = note);
}

/** The server, not yet listening. */
export function createMirror(options: MirrorOptions): http.Server {
  const store = new Store(options.cache, options.upstreams);
  const server = http.createServer((request, response) => {
    const note = logAccess(request, response, options.access);
    const wanted = route(request.method ?? "", request.url ?? "");
    let answer = Promise.resolve();
    if (wanted.kind === "refused") sendText(response, wanted.status, wanted.reason);
    else if (wanted.kind === "file") {
      answer = serveLabFile(options.files, wanted.name, request, response);
    } else if (wanted.kind === "docker") {
      answer = serveLabFile(options.docker, wanted.path, request, response);
    } else answer = serveArchive(store, wanted, request, response, note);
    answer.catch((error: unknown) => {
      fail(response, error);
    });
  });
  // Without this, Node.js would only cut the connection.
  server.on("connect", (_request, socket) => {
    socket.end("HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  });
  return server;
}
