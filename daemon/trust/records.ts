// How belief and memory are written to disk, and read back strictly: a damaged file must be noticed, not believed.

import Type from 'typebox';
import { Compile } from 'typebox/compile';
import type { Digest } from '../../proto/cid.ts';
import { OrderSchema, type Order } from '../../proto/statement.ts';

/** The TUF files believed, and the digest of the first root of all. */
export interface Belief {
  readonly pin: Digest;
  /** Ascending without gaps; the last is the trusted one, those before are for neighbours that are behind. */
  readonly roots: readonly { readonly version: number; readonly text: string }[];
  readonly files: Readonly<Record<string, string>>;
}

export interface Memory {
  /** The latest moment that has certainly been, in milliseconds since 1970. */
  readonly floor: number;
  /** By environment. */
  readonly seqSeen: Readonly<Record<string, number>>;
  /** The last one accepted of each environment and application. */
  readonly orders: readonly Order[];
}

export const emptyMemory: Memory = { floor: 0, seqSeen: {}, orders: [] };

const strict = { additionalProperties: false } as const;
const beliefForm = Compile(
  Type.Object(
    {
      format: Type.Literal('starling.trust-metadata/1'),
      pin: Type.String({ pattern: '^[0-9a-f]{64}$' }),
      roots: Type.Array(Type.Object({ version: Type.Integer({ minimum: 1 }), text: Type.String() }, strict), { minItems: 1 }),
      files: Type.Record(Type.String(), Type.String()),
    },
    strict,
  ),
);
const memoryForm = Compile(
  Type.Object(
    {
      format: Type.Literal('starling.trust-memory/1'),
      floor: Type.Number({ minimum: 0 }),
      seqSeen: Type.Record(Type.String(), Type.Integer({ minimum: 0 })),
      orders: Type.Array(OrderSchema),
    },
    strict,
  ),
);

export function encodeBelief(belief: Belief): string {
  return JSON.stringify({ format: 'starling.trust-metadata/1', ...belief });
}

/** @throws when the text is not what {@link encodeBelief} writes. */
export function decodeBelief(text: string): Belief {
  const value: unknown = JSON.parse(text);
  if (!beliefForm.Check(value)) throw new Error('it does not have the form of starling.trust-metadata/1');
  return { pin: value.pin, roots: value.roots, files: value.files };
}

export function encodeMemory(memory: Memory): string {
  return JSON.stringify({ format: 'starling.trust-memory/1', ...memory });
}

/** @throws when the text is not what {@link encodeMemory} writes. */
export function decodeMemory(text: string): Memory {
  const value: unknown = JSON.parse(text);
  if (!memoryForm.Check(value)) throw new Error('it does not have the form of starling.trust-memory/1');
  return { floor: value.floor, seqSeen: value.seqSeen, orders: value.orders };
}
