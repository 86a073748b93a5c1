// Writes the golden vectors next to it: `node test/vectors/generate.ts`. Run it only when the protocol is meant to change, which means a
// new version of it: the vectors are what two versions of the program agree on. Their values come from test/proto/fixtures.ts.

import { writeFileSync } from 'node:fs';
import { chunkLengths, gearTable } from '../../proto/chunker.ts';
import { encodeMessage } from '../../proto/exchange-codec.ts';
import { encodeRevision } from '../../proto/revision-codec.ts';
import { encodeTree } from '../../proto/tree-index.ts';
import { encodeUploadFrame } from '../../proto/upload-frame.ts';
import { digestOf, everyMessage, plainRevision, repeatableBytes, smallRevision, smallTree } from '../proto/fixtures.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function write(name: string, how: string, value: object): void {
  writeFileSync(new URL(name, import.meta.url), `${JSON.stringify({ how, ...value }, undefined, 2)}\n`);
}

const chunked = [
  { seed: 'starling', length: 4 * 1024 * 1024 },
  { seed: 'one chunk', length: 65_536 },
  { seed: 'two chunks or one', length: 65_537 },
];
write('chunker.json', 'lengths of the chunks of sha256("seed:0") sha256("seed:1") … cut to `length` bytes; words of the gear table as unsigned hexadecimal', {
  gearTableHead: [...gearTable.subarray(0, 8)].map((word) => (word >>> 0).toString(16).padStart(8, '0')),
  gearTableDigest: digestOf(new Uint8Array(gearTable.buffer)),
  files: [
    ...chunked.map(({ seed, length }) => ({ seed, length, chunks: chunkLengths(repeatableBytes(seed, length)) })),
    { zeros: true, length: 600_000, chunks: chunkLengths(new Uint8Array(600_000)) },
  ],
});

write('tree-index.json', 'the index of `smallTree`, case-sensitive or not, and of a tree with nothing in it', {
  insensitive: hex(encodeTree(smallTree, { caseSensitive: false })),
  sensitive: hex(encodeTree(smallTree, { caseSensitive: true })),
  empty: hex(encodeTree([], { caseSensitive: false })),
});

const revisions = [smallRevision, plainRevision].map((revision) => encodeRevision(revision));
write('revision.json', '`smallRevision` and `plainRevision`, with the sha2-256 that identifies each', {
  revisions: revisions.map((bytes) => ({ bytes: hex(bytes), digest: digestOf(bytes) })),
});

write('exchange.json', '`everyMessage`, in order', {
  frames: everyMessage.map((message) => ({ kind: message.kind, bytes: hex(Buffer.concat(encodeMessage(message))) })),
});

write('upload-frame.json', 'chunk 3 with bytes 01 02 03, then chunk 1 with byte ff', {
  bytes: hex(encodeUploadFrame([{ ordinal: 3, bytes: Uint8Array.of(1, 2, 3) }, { ordinal: 1, bytes: Uint8Array.of(0xff) }])),
});
