// Inputs that are wrong in one way each, and the code that must say so. They are made by test/vectors/generate-corpus.ts.

import { expect, test } from 'vitest';
import { decodeFrame } from '../../proto/exchange-codec.ts';
import { decodeRevision } from '../../proto/revision-codec.ts';
import { decodeTree } from '../../proto/tree-index.ts';
import { decodeUploadFrame } from '../../proto/upload-frame.ts';
import exchangeRows from '../vectors/corpus/exchange.json' with { type: 'json' };
import revisionRows from '../vectors/corpus/revision.json' with { type: 'json' };
import treeRows from '../vectors/corpus/tree-index.json' with { type: 'json' };
import uploadRows from '../vectors/corpus/upload-frame.json' with { type: 'json' };
import { outcome } from './fixtures.ts';

const decoders = [
  { name: 'decodeTree', decode: decodeTree, rows: treeRows },
  { name: 'decodeRevision', decode: decodeRevision, rows: revisionRows },
  { name: 'decodeFrame', decode: decodeFrame, rows: exchangeRows },
  { name: 'decodeUploadFrame', decode: decodeUploadFrame, rows: uploadRows },
] as const;

for (const { name, decode, rows } of decoders) {
  test.each([...rows])(`${name}() refuses $what`, ({ bytes, code }) => {
    expect(outcome(() => decode(Buffer.from(bytes, 'hex')))).toEqual({ code });
  });
}
