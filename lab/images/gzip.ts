/**
 * Gzip without compression. Some tools take no other layers than gzip, and what a compressor makes
 * differs between its versions; stored blocks are the same bytes everywhere.
 */

/** The largest content a stored block can have. */
const BLOCK = 0xffff;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function computeCrc32(content: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of content) crc = (CRC_TABLE[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** One stored block of a deflate stream (RFC 1951, 3.2.4). */
function storedBlock(content: Buffer, last: boolean): Buffer[] {
  const header = Buffer.alloc(5);
  header.writeUInt8(last ? 1 : 0, 0);
  header.writeUInt16LE(content.length, 1);
  header.writeUInt16LE(~content.length & 0xffff, 3);
  return [header, content];
}

/** Wraps content as gzip (RFC 1952), with no name and no time. */
export function gzipStored(content: Buffer): Buffer {
  const header = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
  const count = Math.max(1, Math.ceil(content.length / BLOCK));
  const blocks = Array.from({ length: count }, (_, index) => {
    const part = content.subarray(index * BLOCK, (index + 1) * BLOCK);
    return storedBlock(part, index === count - 1);
  });
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(computeCrc32(content), 0);
  trailer.writeUInt32LE(content.length % 2 ** 32, 4);
  return Buffer.concat([header, ...blocks.flat(), trailer]);
}
