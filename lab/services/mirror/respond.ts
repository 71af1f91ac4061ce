/** Sends answers: whole files, parts of files, running downloads, and refusals in plain words. */
import * as fs from "node:fs";
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import type { Download } from "./download";

/** A part of a file, both ends included. */
interface Span {
  start: number;
  end: number;
}

export function sendText(response: ServerResponse, status: number, text: string): void {
  const body = `${text}\n`;
  response.writeHead(status, {
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": Buffer.byteLength(body),
  });
  response.end(body);
}

/** The span that a Range header asks for; "whole" if the header is ignored, "none" if the file has no such part. */
function parseRange(header: string | undefined, size: number): Span | "whole" | "none" {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (!match || (!match[1] && !match[2])) return "whole";
  const last = size - 1;
  if (!match[1]) {
    const length = Math.min(Number(match[2]), size);
    return length > 0 ? { start: size - length, end: last } : "none";
  }
  const start = Number(match[1]);
  const end = match[2] ? Math.min(Number(match[2]), last) : last;
  if (match[2] && Number(match[2]) < start) return "whole";
  return start <= last ? { start, end } : "none";
}

/** Whether the client has this version already. */
function isUnchanged(request: IncomingMessage, etag: string, modified: Date): boolean {
  const match = request.headers["if-none-match"];
  if (match !== undefined) return match.split(/\s*,\s*/).includes(etag);
  const since = Date.parse(request.headers["if-modified-since"] ?? "");
  return !Number.isNaN(since) && modified.getTime() <= since;
}

/** The Range header, unless If-Range names another version. */
function wantedRange(request: IncomingMessage, etag: string, date: string): string | undefined {
  const condition = request.headers["if-range"];
  const same = condition === undefined || condition === etag || condition === date;
  return same ? request.headers.range : undefined;
}

/** Identifies a version of a file. */
function versionOf({ size, mtimeMs }: fs.Stats): {
  size: number;
  modified: Date;
  date: string;
  etag: string;
} {
  const modified = new Date(Math.floor(mtimeMs / 1000) * 1000); // as far as HTTP dates go
  const etag = `"${size.toString(16)}-${Math.floor(mtimeMs).toString(16)}"`;
  return { size, modified, date: modified.toUTCString(), etag };
}

/** Sends a file from disk: whole, a range, or only "not modified". */
export async function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  file: string,
  headers: OutgoingHttpHeaders = {},
): Promise<void> {
  const handle = await fs.promises.open(file, "r");
  try {
    const { size, modified, date, etag } = versionOf(await handle.stat());
    setHeaders(response, { ...headers, "Last-Modified": date, ETag: etag });
    if (isUnchanged(request, etag, modified)) return void response.writeHead(304).end();
    const range = parseRange(wantedRange(request, etag, date), size);
    if (range === "none") {
      return void response.writeHead(416, { "Content-Range": `bytes */${size}` }).end();
    }
    const { start, end } = range === "whole" ? { start: 0, end: size - 1 } : range;
    if (range !== "whole") response.setHeader("Content-Range", `bytes ${start}-${end}/${size}`);
    response.writeHead(range === "whole" ? 200 : 206, { "Content-Length": end - start + 1 });
    if (request.method === "HEAD" || size === 0) return void response.end();
    await pipeline(handle.createReadStream({ start, end, autoClose: false }), response);
  } finally {
    await handle.close();
  }
}

function setHeaders(response: ServerResponse, headers: OutgoingHttpHeaders): void {
  response.setHeader("Accept-Ranges", "bytes");
  response.setHeader("Content-Type", "application/octet-stream");
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) response.setHeader(name, value);
  }
}

/** Sends a download while it comes in. */
export async function sendDownload(
  request: IncomingMessage,
  response: ServerResponse,
  download: Download,
  headers: OutgoingHttpHeaders = {},
): Promise<void> {
  setHeaders(response, { ...headers, "Last-Modified": download.modified.toUTCString() });
  if (download.length !== undefined) response.setHeader("Content-Length", download.length);
  response.writeHead(200);
  if (request.method === "HEAD") response.end();
  else await pipeline(Readable.from(download.read()), response);
}
