// A file's text as documents: values with the place of each in the text. YAML 1.2 with its core schema, so that `on` and `no`
// are words; keys come once; aliases, nesting and size are bounded, since a file may come from anybody.

import { isMap, isNode, isScalar, isSeq, LineCounter, parseAllDocuments, visit, type Alias, type Document, type ParsedNode } from 'yaml';
import type { FileProblem } from './problem.ts';

/** Longest file: the bound of a request's body, since what it says must fit into one. */
export const sourceBytesMax = 1024 * 1024;
/** Documents of one file. */
const documentsMax = 50;
/** Problems of one file that is not YAML. */
const yamlProblemsMax = 10;
/** Times that anchors are used in one document. */
const aliasesMax = 100;

const tooDeep = 'the file is nested too deeply to be read';

export type Path = readonly (string | number)[];

export interface Place {
  readonly line: number;
  readonly column: number;
}

/** One document of a file. */
export interface SourceDocument {
  readonly file: string;
  readonly value: unknown;
  /** Where the value at `path` begins, or the nearest that is there on the way to it. */
  readonly at: (path: Path) => Place;
  /** Where the key at the end of `path` is written. */
  readonly atKey: (path: Path) => Place;
}

/** The documents of `text`, or what keeps it from being read. Empty documents are left out. */
export function readDocuments(file: string, text: string): { readonly documents: readonly SourceDocument[]; readonly problems: readonly FileProblem[] } {
  const alone = (message: string) => ({ documents: [], problems: [{ file, line: 1, column: 1, message }] });
  const bytes = new TextEncoder().encode(text).length;
  if (bytes > sourceBytesMax) return alone(`the file has ${bytes} bytes; at most ${sourceBytesMax} are read`);
  const lines = new LineCounter();
  let parsed;
  try {
    parsed = parseAllDocuments(text, { version: '1.2', schema: 'core', uniqueKeys: true, stringKeys: true, lineCounter: lines, prettyErrors: false, logLevel: 'silent' });
  } catch (error) {
    // The parser calls itself for each level.
    if (error instanceof RangeError) return alone(tooDeep);
    throw error;
  }
  const all = Array.isArray(parsed) ? parsed : [];
  if (all.length > documentsMax) return alone(`the file has ${all.length} documents; at most ${documentsMax} are read: use several files`);
  const placeOf = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const problems = all.flatMap(({ errors, warnings }) => [...errors, ...warnings].map((error) => ({ file, ...placeOf(error.pos[0]), message: yamlMessage(error.code, error.message) })));
  if (problems.some(({ message }) => message === tooDeep)) return alone(tooDeep);
  // What follows the first few is mostly their consequence.
  if (problems.length > 0) return { documents: [], problems: problems.slice(0, yamlProblemsMax) };
  const documents: SourceDocument[] = [];
  for (const document of all) {
    const { yaml } = document.directives;
    if (yaml.explicit === true && yaml.version === '1.1') problems.push({ file, line: 1, column: 1, message: "leave out '%YAML 1.1': files are read as YAML 1.2, in which on and no are words" });
    const unset = unsetAlias(document);
    const value = unset === undefined ? plain(document) : null;
    if (unset !== undefined) problems.push({ file, ...placeOf(unset.range?.[0] ?? document.range[0]), message: `there is no anchor &${unset.source} before this` });
    else if (value instanceof Error) problems.push({ file, ...placeOf(document.range[0]), message: `the anchors of this document are used too often, or stand for too much: at most ${aliasesMax} values are taken from them` });
    else if (value !== null) documents.push({ file, value, ...placesIn(document, placeOf) });
  }
  if (documents.length === 0 && problems.length === 0) return alone('there is nothing in this file; expected a mapping that begins with apiVersion: starling/v1');
  return { documents, problems };
}

/** The first use of an anchor that is not there. */
function unsetAlias(document: Document.Parsed): Alias | undefined {
  let unset: Alias | undefined;
  visit(document, {
    Alias: (_key, node) => {
      if (node.resolve(document) !== undefined) return undefined;
      unset = node;
      return visit.BREAK;
    },
  });
  return unset;
}

function plain(document: Document.Parsed): unknown {
  try {
    return document.toJS({ maxAliasCount: aliasesMax });
  } catch (error) {
    if (error instanceof ReferenceError || error instanceof RangeError) return error;
    throw error;
  }
}

function placesIn(document: Document.Parsed, placeOf: (offset: number) => Place): Pick<SourceDocument, 'at' | 'atKey'> {
  const start = document.contents?.range[0] ?? document.range[0];
  const offsetOf = (path: Path, wanted: 'key' | 'value'): number => {
    let node: unknown = document.contents;
    let offset = start;
    for (const [depth, step] of path.entries()) {
      const inside = resolved(document, node);
      const pair = isMap(inside) ? inside.items.find(({ key }) => isScalar(key) && key.value === step) : undefined;
      const last = depth === path.length - 1;
      if (pair !== undefined && last && wanted === 'key') return rangeOf(pair.key) ?? offset;
      node = pair !== undefined ? (pair.value ?? pair.key) : isSeq(inside) && typeof step === 'number' ? inside.items[step] : undefined;
      const found = rangeOf(node);
      if (found === undefined) return offset;
      offset = found;
    }
    return offset;
  };
  return { at: (path) => placeOf(offsetOf(path, 'value')), atKey: (path) => placeOf(offsetOf(path, 'key')) };
}

/** What an alias stands for; the place of what it stands for is the better one to show. */
function resolved(document: Document.Parsed, node: unknown): unknown {
  return isNode(node) && 'source' in node && 'resolve' in node && typeof node.resolve === 'function' ? node.resolve(document) : node;
}

function rangeOf(node: unknown): number | undefined {
  const range: ParsedNode['range'] | null | undefined = isNode(node) ? node.range : undefined;
  return range?.[0];
}

/** The parser's messages are good where it knows what was meant; the commonest mistakes are said in our words. */
function yamlMessage(code: string, message: string): string {
  switch (code) {
    case 'DUPLICATE_KEY':
      return 'this key is here twice; keep one of them';
    case 'NON_STRING_KEY':
      return 'a key must be text; put it in quotes';
    case 'TAB_AS_INDENT':
      return 'a tab cannot indent YAML; use spaces';
    default:
      if (message.startsWith('Maximum call stack')) return tooDeep;
      return `not YAML: ${message.charAt(0).toLowerCase()}${message.slice(1)}`;
  }
}
