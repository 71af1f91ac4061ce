/**
 * A font in which every character is the same box: pictures of pages do not depend on the fonts of a machine then. It is TrueType as the
 * OpenType specification has it, with the tables that a browser asks for and nothing else.
 */

const EM = 1000;
const WIDTH = 550;

/** Big-endian numbers: pairs of size in bytes and value. */
function pack(...fields: readonly (readonly [size: 1 | 2 | 4 | 8, value: number])[]): Buffer {
  const parts = fields.map(([size, value]) => {
    const part = Buffer.alloc(size);
    if (size === 8) part.writeBigUInt64BE(BigInt(value));
    else part.writeUIntBE(value < 0 ? value + 2 ** (8 * size) : value, 0, size);
    return part;
  });
  return Buffer.concat(parts);
}
const shorts = (...values: readonly number[]): Buffer =>
  pack(...values.map((value) => [2, value] as const));

/** One contour: the corners of a box on the baseline. */
const glyph = (): Buffer =>
  Buffer.concat([
    shorts(1, 50, 0, 500, 700, 3, 0),
    Buffer.from([1, 1, 1, 1]),
    shorts(50, 450, 0, -450, 0, 0, 700, 0),
  ]);

/** Format 4: a segment for each character, and one that ends the list; each leads to glyph 1. */
function charactersOf(text: string): Buffer {
  const codes = [...new Set(Array.from(`${text}?`, (one) => one.codePointAt(0) ?? 0))];
  const ends = [...codes.filter((code) => code < 0xffff).sort((a, b) => a - b), 0xffff];
  const count = ends.length;
  const power = Math.floor(Math.log2(count));
  const search = 2 ** (power + 1);
  const deltas = ends.map((code) => (code === 0xffff ? 1 : 1 - code));
  const segments = [shorts(...ends, 0), shorts(...ends, ...deltas), Buffer.alloc(2 * count)];
  const length = 14 + 2 + 8 * count;
  const head = shorts(4, length, 0, 2 * count, search, power, 2 * count - search);
  return Buffer.concat([shorts(0, 1, 3, 1), pack([4, 12]), head, ...segments]);
}

function tablesFor(text: string): Record<string, Buffer> {
  const box = glyph();
  const panose = Buffer.alloc(10);
  const head = pack([4, 0x10000], [4, 0x10000], [4, 0], [4, 0x5f0f3cf5], [2, 0], [2, EM]);
  const metrics = [800, -200, 0, WIDTH, 50, 50, 500, 1, 0, 0, 0, 0, 0, 0, 0, 2];
  const style = [5, 400, 5, 0, 650, 700, 0, 140, 650, 700, 0, 480, 50, 250, 0];
  return {
    "OS/2": Buffer.concat([
      shorts(4, WIDTH, ...style.slice(1)),
      panose,
      pack([4, 0], [4, 0], [4, 0], [4, 0], [4, 0x20202020]),
      shorts(0x40, 32, 0xfffe, 800, -200, 0, 800, 200),
      pack([4, 0], [4, 0]),
      shorts(500, 700, 0, 32, 1),
    ]),
    cmap: charactersOf(text),
    glyf: Buffer.concat([box, Buffer.alloc((4 - (box.length % 4)) % 4)]),
    head: Buffer.concat([head, pack([8, 0], [8, 0]), shorts(50, 0, 500, 700, 0, 8, 2, 0, 0)]),
    hhea: Buffer.concat([pack([4, 0x10000]), shorts(...metrics)]),
    hmtx: shorts(WIDTH, 50, WIDTH, 50),
    loca: shorts(0, 0, Math.ceil(box.length / 4) * 2),
    maxp: Buffer.concat([pack([4, 0x10000]), shorts(2, 4, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)]),
    name: nameTable(),
    post: Buffer.concat([pack([4, 0x30000], [4, 0]), shorts(-100, 50), Buffer.alloc(20)]),
  };
}

/** Family, style, unique name, full name, version and PostScript name, all of them "box". */
function nameTable(): Buffer {
  const text = Buffer.from("\0b\0o\0x");
  const records = [1, 2, 3, 4, 5, 6].map((id) => shorts(3, 1, 0x409, id, text.length, 0));
  return Buffer.concat([shorts(0, records.length, 6 + 12 * records.length), ...records, text]);
}

function checksumOf(table: Buffer): number {
  let sum = 0;
  const padded = Buffer.concat([table, Buffer.alloc((4 - (table.length % 4)) % 4)]);
  for (let at = 0; at < padded.length; at += 4) sum = (sum + padded.readUInt32BE(at)) % 2 ** 32;
  return sum;
}

/** The font for the characters of a text. */
export function boxFont(text: string): Buffer {
  const tables = Object.entries(tablesFor(text));
  const power = Math.floor(Math.log2(tables.length));
  const search = 2 ** (power + 4);
  const start = pack([4, 0x10000]);
  const sizes = shorts(tables.length, search, power, 16 * tables.length - search);
  let offset = 12 + 16 * tables.length;
  const [records, bodies]: [Buffer[], Buffer[]] = [[], []];
  for (const [tag, table] of tables) {
    const numbers = pack([4, checksumOf(table)], [4, offset], [4, table.length]);
    records.push(Buffer.concat([Buffer.from(tag), numbers]));
    const padded = Buffer.concat([table, Buffer.alloc((4 - (table.length % 4)) % 4)]);
    bodies.push(padded);
    offset += padded.length;
  }
  return Buffer.concat([start, sizes, ...records, ...bodies]);
}
