// Writes the corpus of nasty inputs: `node test/vectors/generate-corpus.ts`. Each row is a decoder, what is wrong, the bytes, and the
// code with which a decoder must refuse them. A crash that fuzzing finds becomes a row here.

import { writeFileSync } from 'node:fs';
import * as dagCbor from '@ipld/dag-cbor';
import { digestToBytes } from '../../proto/cid.ts';
import type { ProtocolErrorCode } from '../../proto/errors.ts';
import { encodeRevision } from '../../proto/revision-codec.ts';
import { digestOf, plainRevision } from '../proto/fixtures.ts';

type Row = readonly [what: string, bytes: string, code: ProtocolErrorCode];

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const text = (value: string): string => hex(Buffer.from(value));
const byte = (value: number): string => value.toString(16).padStart(2, '0');
const varint = (value: number): string => (value < 128 ? byte(value) : `${byte(0x80 | (value & 0x7f))}${byte(value >> 7)}`);
const magic = text('STIX');
const head = `${magic}0100`;
const directory = '41ed';
const file = '81a4';
const link = 'a1ff';
/** A path of the first entry, or of one that shares nothing. */
const path = (value: string): string => `00${byte(Buffer.byteLength(value))}${text(value)}`;
const id = (word: string): string => digestOf(word);
/** An index of entries without content: modes, the column of paths, and what follows it. */
const index = (modes: readonly string[], paths: string, rest = ''): string => `${head}${byte(modes.length)}00${modes.join('')}${paths}${rest}`;
/** An index of one file 'a'. */
const oneFile = (chunks: number, columns: string): string => `${head}01${byte(chunks)}${file}${path('a')}${columns}`;

const treeRows: readonly Row[] = [
  ['nothing', '', 'TRUNCATED'],
  ['another magic', `${text('STIY')}01000000`, 'MALFORMED'],
  ['a later version', `${magic}02000000`, 'UNSUPPORTED_VERSION'],
  ['an unknown flag', `${magic}01020000`, 'MALFORMED'],
  ['no counts', head, 'TRUNCATED'],
  ['a count with a padded varint', `${head}800000`, 'NOT_CANONICAL'],
  ['a varint that never ends', `${head}80808080808080808080`, 'NOT_CANONICAL'],
  ['more entries than allowed', `${head}c1843d00`, 'TOO_LARGE'],
  ['a million entries and no bytes', `${head}c0843d00`, 'TRUNCATED'],
  ['16 million chunks and no bytes', `${head}0080c8d007`, 'TRUNCATED'],
  ['a chunk and no file', `${head}0001${'00'.repeat(40)}`, 'MALFORMED'],
  ['a byte too many', `${head}000000`, 'MALFORMED'],
  ['a setuid file', index(['89ed'], path('a'), '00'), 'MALFORMED'],
  ['a group-writable directory', index(['41fd'], path('a')), 'MALFORMED'],
  ['a device', index(['61a4'], path('a')), 'MALFORMED'],
  ['a link with a mode of its own', index(['a1ed'], path('a'), '0162'), 'MALFORMED'],
  ['an empty path', index([directory], '000000'), 'NOT_CANONICAL'],
  ['a path that shares bytes with nothing', index([directory], '01016100'), 'MALFORMED'],
  ['an absolute path', index([directory], path('/a')), 'INVALID_PATH'],
  ['a path that leaves', index([directory], path('..')), 'INVALID_PATH'],
  ['a path that leaves and comes back', index([directory, directory], `${path('a')}0105${text('/../a')}`), 'INVALID_PATH'],
  ["a part '.'", index([directory], path('.')), 'INVALID_PATH'],
  ['a slash at the end', index([directory], path('a/')), 'INVALID_PATH'],
  ['two slashes', index([directory, directory], `${path('a')}0103${text('//b')}`), 'INVALID_PATH'],
  ['a drive', index([directory], path('C:x')), 'INVALID_PATH'],
  ['a line feed in a path', index([directory], path('a\nb')), 'INVALID_PATH'],
  ['a C1 control in a path', index([directory], path('a\u0085')), 'INVALID_PATH'],
  ['an escape sequence in a path', index([directory], path('\u001b[2J')), 'INVALID_PATH'],
  ['a NUL in a path', index([directory], path('a\0b')), 'INVALID_PATH'],
  ['decomposed Unicode', index([directory], path('u\u0308')), 'INVALID_PATH'],
  ['a surrogate in UTF-8', index([directory], '0003eda08000'), 'INVALID_PATH'],
  ['an overlong slash', index([directory], '0003c0af6100'), 'INVALID_PATH'],
  ['a part of 256 bytes', index([directory], `008002${'61'.repeat(256)}`), 'INVALID_PATH'],
  ['a path of 1025 bytes', index([directory], `008108${'61'.repeat(1025)}`), 'TOO_LARGE'],
  ['a path of 1025 bytes in two steps', index([directory, directory], `00ff01${'61'.repeat(255)}ff018206${'61'.repeat(770)}`), 'INVALID_PATH'],
  ['65 parts', index([directory], `008101${'612f'.repeat(64)}61`), 'INVALID_PATH'],
  ['65 parts, all of them declared', index(Array.from({ length: 65 }, () => directory), Array.from({ length: 65 }, (_, depth) => (depth === 0 ? path('a') : `${varint(2 * depth - 1)}02${text('/a')}`)).join('')), 'INVALID_PATH'],
  ['the same path twice', index([directory, directory], `${path('a')}0100`, '00'), 'NOT_CANONICAL'],
  ['paths in descending order', index([directory, directory], `${path('b')}${path('a')}`), 'NOT_CANONICAL'],
  ['a path that shares more than it says', index([directory, directory], `${path('a')}${path('ab')}`), 'NOT_CANONICAL'],
  ['a path without its directory', index([directory], path('a/b')), 'INVALID_PATH'],
  ['a path below a file', index([file, directory], `${path('a')}0102${text('/b')}`, '00'), 'INVALID_PATH'],
  ['a path below a link', index([link, directory], `${path('a')}0102${text('/b')}`, `01${text('x')}`), 'INVALID_PATH'],
  ['a path below a file where a directory was before', index([directory, file, directory], `${path('ab')}0101${text('c')}0202${text('/x')}`, '00'), 'INVALID_PATH'],
  ['two names that differ in case', index([directory, directory], `${path('A')}${path('a')}`), 'INVALID_PATH'],
  ["'ß' and 'ss'", index([directory, directory], `${path('ss')}${path('ß')}`), 'INVALID_PATH'],
  ["'s' and the long 'ſ'", index([directory, directory], `${path('s')}${path('ſ')}`), 'INVALID_PATH'],
  ['an empty target', index([link], path('a'), '00'), 'INVALID_PATH'],
  ['an absolute target', index([link], path('a'), `02${text('/b')}`), 'INVALID_PATH'],
  ['a target outside', index([link], path('a'), `04${text('../b')}`), 'INVALID_PATH'],
  ['a target that leaves and comes back', index([link], path('a'), `08${text('../../bc')}`), 'INVALID_PATH'],
  ['a target with a NUL', index([link], path('a'), `03${text('b\0c')}`), 'INVALID_PATH'],
  ['a target that is not UTF-8', index([link], path('a'), '01ff'), 'INVALID_PATH'],
  ['a target of 1025 bytes', index([link], path('a'), `8108${'61'.repeat(1025)}`), 'TOO_LARGE'],
  ['an empty chunk', oneFile(1, `000100${id('a')}`), 'MALFORMED'],
  ['a chunk above the maximum', oneFile(1, `8180100100${id('a')}`), 'TOO_LARGE'],
  ['a reference to a chunk that is not there', oneFile(1, `01020000${id('a')}${id('b')}`), 'MALFORMED'],
  ['a reference before the first chunk', oneFile(1, `010101${id('a')}`), 'MALFORMED'],
  ['a chunk that no file has', oneFile(1, `0100${id('a')}`), 'MALFORMED'],
  ['16 million references and no bytes', oneFile(1, `0180c8d007${id('a')}`), 'TRUNCATED'],
  ['more references than allowed', oneFile(1, `0181c8d007${id('a')}`), 'TOO_LARGE'],
  ['a small file in two chunks', oneFile(2, `0101020000${id('file')}${id('a')}${id('b')}`), 'NOT_CANONICAL'],
  ['one identifier twice', oneFile(2, `ffff03ffff03020000${id('file')}${id('a')}${id('a')}`), 'NOT_CANONICAL'],
  ['a chunk with the identifier of no bytes', oneFile(1, `010100${id('')}`), 'MALFORMED'],
  ['a missing digest', oneFile(2, `ffff03ffff03020000${id('a')}${id('b')}`), 'TRUNCATED'],
  ['identifiers cut short', oneFile(1, `010100${id('a').slice(2)}`), 'TRUNCATED'],
];

/** A revision as its fields, to be spoilt. */
const fields = {
  ...plainRevision,
  tree: digestToBytes(plainRevision.tree),
  indexChunks: plainRevision.indexChunks.map(({ id: digest, length }) => [digestToBytes(digest), length]),
};
const without = (key: string): string => hex(dagCbor.encode(Object.fromEntries(Object.entries(fields).filter(([name]) => name !== key))));
const withField = (key: string, value: unknown): string => hex(dagCbor.encode({ ...fields, [key]: value }));
const canonical = hex(encodeRevision(plainRevision));

const revisionRows: readonly Row[] = [
  ['nothing', '', 'MALFORMED'],
  ['a number', '00', 'MALFORMED'],
  ['a list', '80', 'MALFORMED'],
  ['an empty map', 'a0', 'UNSUPPORTED_VERSION'],
  ['a list nested 30,000 deep', '81'.repeat(30_000), 'MALFORMED'],
  ['a list that claims 4 billion items', '9affffffff', 'MALFORMED'],
  ['a text that claims 2 to the 63rd bytes', '7b7fffffffffffffff', 'MALFORMED'],
  ['an unfinished map', 'bf', 'MALFORMED'],
  ['bytes after the end', `${canonical}00`, 'MALFORMED'],
  ['the last byte missing', canonical.slice(0, -2), 'MALFORMED'],
  ['an unknown field', withField('extra', 1), 'MALFORMED'],
  ['a field named __proto__', withField('xxproto__', 1).replace(text('xxproto__'), text('__proto__')), 'MALFORMED'],
  ['a later format', withField('format', 'starling.revision/2'), 'UNSUPPORTED_VERSION'],
  ['another chunker', withField('chunker', 'rabin'), 'UNSUPPORTED_VERSION'],
  ['no tree', without('tree'), 'MALFORMED'],
  ['no entries', without('entries'), 'MALFORMED'],
  ['a digest of 31 bytes', withField('tree', new Uint8Array(31)), 'MALFORMED'],
  ['a digest as text', withField('tree', plainRevision.tree), 'MALFORMED'],
  ['a name with a path in it', withField('app', '../web'), 'INVALID_NAME'],
  ['a name with a line feed', withField('app', 'web\n'), 'INVALID_NAME'],
  ['a name of 65 letters', withField('app', 'a'.repeat(65)), 'INVALID_NAME'],
  ['a negative count', withField('entries', -1), 'MALFORMED'],
  ['a broken number', withField('entries', 1.5), 'MALFORMED'],
  ['a count beyond 2 to the 53rd', withField('bytes', 2n ** 60n), 'MALFORMED'],
  ['too many entries', withField('entries', 1_000_001), 'TOO_LARGE'],
  ['an index above its limit', withField('indexBytes', 2 ** 28), 'TOO_LARGE'],
  ['index chunks that do not add up', withField('indexBytes', 9), 'MALFORMED'],
  ['an empty index chunk', withField('indexChunks', [...fields.indexChunks, [new Uint8Array(32), 0]]), 'MALFORMED'],
  ['an index chunk of three', withField('indexChunks', [[new Uint8Array(32), 8, 0]]), 'MALFORMED'],
  ['no index chunks', withField('indexChunks', []), 'MALFORMED'],
  ['a spec with an unknown key', withField('spec', { ...plainRevision.spec, shell: 'sh' }), 'MALFORMED'],
  ['a spec of null', withField('spec', null), 'MALFORMED'],
  ['a number that is not in its shortest form', canonical.replace(`${text('chunks')}07`, `${text('chunks')}1807`), 'MALFORMED'],
  ['a whole number as a float', canonical.replace(`${text('entries')}0b`, `${text('entries')}fb4026000000000000`), 'NOT_CANONICAL'],
  ['keys in another order', `aa${canonical.slice(14)}${canonical.slice(2, 14)}`, 'NOT_CANONICAL'],
];

/** A frame's header and payload. */
const frame = (type: string, flags: string, topic: string, request: string, payload: string): string =>
  `${type}${flags}0000${topic.padStart(8, '0')}${request.padStart(8, '0')}${(payload.length / 2).toString(16).padStart(8, '0')}${payload}`;
const announced = (type: string, length: number): string => `${type}000000${'0'.repeat(16)}${length.toString(16).padStart(8, '0')}`;
const revision = digestOf('revision');

const exchangeRows: readonly Row[] = [
  ['nothing', '', 'TRUNCATED'],
  ['half a header', '0200000000000001', 'TRUNCATED'],
  ['type 0', frame('00', '00', '', '', ''), 'MALFORMED'],
  ['a type that is not known', frame('0c', '00', '', '', ''), 'MALFORMED'],
  ['flags that are not known', frame('01', '03', '', '', revision), 'MALFORMED'],
  ['a flag where none is used', frame('02', '01', '', '', ''), 'MALFORMED'],
  ['a value in the reserved field', `0200000100000001${'0'.repeat(16)}`, 'MALFORMED'],
  ['a topic where none is used', frame('09', '00', '1', '1', ''), 'MALFORMED'],
  ['a request where none is used', frame('02', '00', '1', '1', ''), 'MALFORMED'],
  ['data of 4 GiB', announced('05', 0xffffffff), 'TOO_LARGE'],
  ['data one byte above a chunk', announced('05', 262_149), 'TOO_LARGE'],
  ['data without a byte', frame('05', '00', '1', '1', '00000000'), 'MALFORMED'],
  ['a bitmap one byte above the largest', announced('01', 2_097_185), 'TOO_LARGE'],
  ['open without a revision', frame('01', '00', '1', '', revision.slice(2)), 'MALFORMED'],
  ['close with a payload', frame('02', '00', '1', '', '00'), 'TOO_LARGE'],
  ['have without a range', frame('03', '00', '1', '', ''), 'MALFORMED'],
  ['half a range', frame('03', '00', '1', '', '000000000000000100000000'), 'MALFORMED'],
  ['an empty range', frame('03', '00', '1', '', '0000000100000001'), 'MALFORMED'],
  ['a range that goes back', frame('04', '00', '1', '1', '0000000200000001'), 'MALFORMED'],
  ['513 ranges', announced('04', 513 * 8), 'TOO_LARGE'],
  ['a peer id that is cut off', frame('08', '00', '', '1', `05${text('abc')}`), 'TRUNCATED'],
  ['an empty peer id', frame('08', '00', '', '1', '00'), 'MALFORMED'],
  ['a peer id with an escape sequence', frame('08', '00', '', '1', `02${text('\u001b[')}`), 'MALFORMED'],
  ['65 holders', frame('08', '00', '', '1', `01${text('a')}`.repeat(65)), 'TOO_LARGE'],
  ['a manifest above its limit', announced('0b', 524_289), 'TOO_LARGE'],
  ['a question for a delta without a base', frame('11', '00', '', '1', revision), 'MALFORMED'],
  ['a question for a delta with nine bases', frame('11', '00', '', '1', revision.repeat(10)), 'TOO_LARGE'],
  ['a question for a delta with half a base', frame('11', '00', '', '1', revision.repeat(2) + revision.slice(32)), 'MALFORMED'],
  ['a delta above its limit', announced('12', 262_144 + 2_048 + 7), 'TOO_LARGE'],
  ['a delta whose statement is cut off', frame('12', '00', '', '1', `000000000005${text('abc')}`), 'TRUNCATED'],
  ['a delta with a statement above its limit', frame('12', '00', '', '1', `000000000801${text('a').repeat(2049)}00`), 'TOO_LARGE'],
  ['a delta with an escape sequence in its statement', frame('12', '00', '', '1', `000000000002${text('\u001b[')}00`), 'MALFORMED'],
  ['a delta without a statement', frame('12', '00', '', '1', '00000000000000'), 'MALFORMED'],
  ['a delta without a descriptor', frame('12', '00', '', '1', `000000000001${text('a')}`), 'MALFORMED'],
  ['a revision of 31 bytes', frame('0a', '00', '', '1', revision.slice(2)), 'MALFORMED'],
];

const uploadRows: readonly Row[] = [
  ['nothing', '', 'MALFORMED'],
  ['half a header', '00000001', 'TRUNCATED'],
  ['an empty chunk', '0000000100000000', 'MALFORMED'],
  ['a chunk of 4 GiB', '00000001ffffffff', 'TOO_LARGE'],
  ['a chunk one byte above the maximum', '0000000100040001', 'TOO_LARGE'],
  ['a chunk that is cut off', '0000000100000002aa', 'TRUNCATED'],
  ['a chunk twice', '0000000100000001aa0000000100000001aa', 'MALFORMED'],
  ['a byte too many', '0000000100000001aa00', 'TRUNCATED'],
];

for (const [name, rows] of Object.entries({ 'tree-index': treeRows, revision: revisionRows, exchange: exchangeRows, 'upload-frame': uploadRows })) {
  const lines = rows.map(([what, bytes, code]) => JSON.stringify({ what, bytes, code }));
  writeFileSync(new URL(`corpus/${name}.json`, import.meta.url), `[\n  ${lines.join(',\n  ')}\n]\n`);
}
