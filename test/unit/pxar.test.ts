/** clients/pxar.ts: archives as the backup client writes them, and what is none. */
import { parseOwners, readOwners } from "../../clients/pxar";

function item(type: bigint, content: Buffer): Buffer {
  const header = Buffer.alloc(16);
  header.writeBigUInt64LE(type, 0);
  header.writeBigUInt64LE(BigInt(16 + content.length), 8);
  return Buffer.concat([header, content]);
}
function entry(mode: number, uid: number, gid: number): Buffer {
  const stat = Buffer.alloc(40);
  stat.writeBigUInt64LE(BigInt(mode), 0);
  stat.writeUInt32LE(uid, 16);
  stat.writeUInt32LE(gid, 20);
  return item(0xd5956474e588acefn, stat);
}
const text = (value: string): Buffer => Buffer.from(`${value}\0`);
const name = (value: string): Buffer => item(0x16701121063917b3n, text(value));
const payload = item(0x28147a1b0b7c1a25n, Buffer.from("content"));
const goodbye = item(0x2fec4fa642d5731dn, Buffer.alloc(24));
const hardlink = (to: string): Buffer =>
  item(0x51269c8422bd7275n, Buffer.concat([Buffer.alloc(8), text(to)]));

const ARCHIVE = Buffer.concat([
  ...[entry(0o040755, 0, 0), name("etc"), entry(0o040700, 5, 6)],
  ...[name("key"), entry(0o100640, 998, 4_000_000_000), payload],
  ...[name("again"), hardlink("etc/key"), goodbye],
  ...[name("link"), entry(0o120777, 7, 8), goodbye],
]);

test("owners and modes by path", async () => {
  const expected = {
    "": { uid: 0, gid: 0, mode: 0o755 },
    etc: { uid: 5, gid: 6, mode: 0o700 },
    "etc/key": { uid: 998, gid: 4_000_000_000, mode: 0o640 },
    "etc/again": { uid: 998, gid: 4_000_000_000, mode: 0o640 },
    link: { uid: 7, gid: 8, mode: 0o777 },
  };
  expect(Object.fromEntries(parseOwners(ARCHIVE))).toEqual(expected);
  const args = ["-c", `echo ${ARCHIVE.toString("base64")} | base64 -d`];
  expect(Object.fromEntries(await readOwners({ program: "bash", args }))).toEqual(expected);
});

test.each([
  ["empty", Buffer.alloc(0)],
  ["cut in a header", ARCHIVE.subarray(0, -30)],
  ["cut between items", ARCHIVE.subarray(0, -goodbye.length)],
  ["no pxar", Buffer.from("definitely not an archive of files, but some text")],
])("%s is refused", (_, archive) => {
  expect(() => parseOwners(archive)).toThrow("not whole, or is none");
});
