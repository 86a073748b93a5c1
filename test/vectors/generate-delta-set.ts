// Writes the golden vectors and the corpus of nasty inputs of delta sets: `node test/vectors/generate-delta-set.ts`. As with generate.ts, run
// it only when the format is meant to change.

import { writeFileSync } from 'node:fs';
import { encodeDeltaSet } from '../../proto/delta-set-codec.ts';
import type { ProtocolErrorCode } from '../../proto/errors.ts';
import { digestOf } from '../proto/fixtures.ts';
import { goldenDeltaSets } from '../proto/delta-set-fixtures.ts';

type Row = readonly [what: string, bytes: string, code: ProtocolErrorCode];

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const magic = hex(Buffer.from('STDS'));
const from = digestOf('from');
const to = digestOf('to');
const part = digestOf('part');
const head = `${magic}01${from}${to}`;
/** An index of 10 bytes, as it is. */
const index = '0109';
/** A segment of 8 bytes in plain zstd that makes ordinal 3. */
const plain = '0007000300';
/** The same in another codec, without its base. */
const based = (codec: string): string => `${codec}07000300`;

const rows: readonly Row[] = [
  ['nothing', '', 'TRUNCATED'],
  ['another magic', `${hex(Buffer.from('STDT'))}01${from}${to}${index}00${part}`, 'MALFORMED'],
  ['a later version', `${magic}02${from}${to}${index}00${part}`, 'UNSUPPORTED_VERSION'],
  ['half a digest', `${magic}01${from}${to.slice(32)}`, 'TRUNCATED'],
  ['a revision out of itself', `${magic}01${to}${to}${index}00${part}`, 'MALFORMED'],
  ['neither index nor segments', `${head}0000`, 'MALFORMED'],
  ['an unknown codec of the index', `${head}030900${part}`, 'TOO_LARGE'],
  ['an index longer than allowed', `${head}018080804000`, 'TOO_LARGE'],
  ['an index of 128 MiB and no parts', `${head}01ffffff3f00`, 'TRUNCATED'],
  ['an outline and no segments', `${head}020900${part}`, 'MALFORMED'],
  ['a padded varint', `${head}01890000${part}`, 'NOT_CANONICAL'],
  ['a varint that never ends', `${head}0180808080808080`, 'NOT_CANONICAL'],
  ['more segments than allowed', `${head}00818001`, 'TOO_LARGE'],
  ['16,384 segments and no bytes', `${head}00808001`, 'TRUNCATED'],
  ['an unknown codec of a segment', `${head}00010307000300${part}`, 'TOO_LARGE'],
  ['a segment longer than allowed', `${head}000100808080020003000000`, 'TOO_LARGE'],
  ['more ranges than allowed', `${head}0001000780200300`, 'TOO_LARGE'],
  ['4,096 ranges and no bytes', `${head}00010007ff1f0300`, 'TRUNCATED'],
  ['an ordinal that no tree has', `${head}0001000700ffc7d00707${part}`, 'TOO_LARGE'],
  ['a range that ends where no tree does', `${head}000100070003ffc7d007${part}`, 'TOO_LARGE'],
  ['a base that begins before the first ordinal', `${head}0001${based('01')}000100${part}`, 'TOO_LARGE'],
  ['two ranges of a base that are one', `${head}0001${based('01')}0100000000${part}`, 'NOT_CANONICAL'],
  ['an ordinal that two segments make', `${head}00020007000302${"0007000000"}${part}`, 'MALFORMED'],
  ['no part', `${head}0001${plain}`, 'TRUNCATED'],
  ['half a part', `${head}0001${plain}${part.slice(32)}`, 'TRUNCATED'],
  ['a part too many', `${head}0001${plain}${part}${part}`, 'MALFORMED'],
  ['a byte too many', `${head}0001${plain}${part}00`, 'MALFORMED'],
];

const sets = goldenDeltaSets.map(encodeDeltaSet).map((bytes) => ({ bytes: hex(bytes), digest: digestOf(bytes) }));
const golden = { how: '`goldenDeltaSets` in order, with the sha2-256 that names each', sets };
writeFileSync(new URL('delta-set.json', import.meta.url), `${JSON.stringify(golden, undefined, 2)}\n`);
const lines = rows.map(([what, bytes, code]) => JSON.stringify({ what, bytes, code }));
writeFileSync(new URL('corpus/delta-set.json', import.meta.url), `[\n  ${lines.join(',\n  ')}\n]\n`);
