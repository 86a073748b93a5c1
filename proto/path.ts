// Which paths and symbolic links a tree may hold, and how paths compare (trust.md, section 10).
// Two departures from that section: ':' and '\' are allowed, because Debian and systemd use both in names and targets run Linux;
// only a Windows drive prefix is refused. Where a path lies on a disk is no matter of this file.

import { ProtocolError } from './errors.ts';
import { limits } from './limits.ts';

const plainAscii = /^[\x20-\x7e]*$/;
// C0, DEL and C1: they end names early, move cursors and forge log lines.
const controls = /\p{Cc}/u;
const surrogate = /[\ud800-\udfff]/;
const drivePrefix = /^[A-Za-z]:/;
// What a terminal or a log reader would act on: controls, and the marks that turn the reading direction or end a line.
const unsafeToPrint = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const quotedLengthMax = 160;

/** `text` in double quotes, shortened, with everything escaped that a terminal or a log could act on. */
export function quoted(text: string): string {
  const shown = text.length > quotedLengthMax ? `${text.slice(0, quotedLengthMax)}…` : text;
  return JSON.stringify(shown).replace(unsafeToPrint, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/**
 * Refuses a path that no tree may hold.
 * @throws {ProtocolError} INVALID_PATH naming the path and the rule it breaks.
 */
export function checkPath(path: string): void {
  const broken = brokenPathRule(path);
  if (broken !== undefined) throw new ProtocolError('INVALID_PATH', `path ${quoted(path)} ${broken}`);
}

/**
 * Refuses the target of the symbolic link at `path` unless it is relative and, read from the link's directory, ends inside the tree, whatever of what it
 * names is a link as well: `..` comes before any name. The root of the tree itself is inside.
 * @throws {ProtocolError} INVALID_PATH naming link, target and rule.
 */
export function checkSymlink(path: string, target: string): void {
  const broken = brokenTargetRule(path, target);
  if (broken !== undefined) {
    throw new ProtocolError('INVALID_PATH', `symbolic link ${quoted(path)} with target ${quoted(target)} ${broken}`);
  }
}

/**
 * What two paths share that a case-insensitive or normalising file system would take for one. An approximation of full case
 * folding by the mappings that every engine has: down, up and down again, so that 'ẞ', 'ß' and 'SS' meet, and 'K' (Kelvin) and 'k'.
 */
export function collisionKey(path: string): string {
  if (plainAscii.test(path)) return path.toLowerCase();
  return path.normalize('NFC').toLowerCase().toUpperCase().toLowerCase().normalize('NFC');
}

/** Order of the paths' UTF-8 bytes: negative, zero or positive. The order of `<` differs beyond U+FFFF. */
export function comparePaths(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let index = 0; index < shorter; index += 1) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) return codePointRank(left) - codePointRank(right);
  }
  return a.length - b.length;
}

/** The numbers of `paths`, in the order of {@link comparePaths}. */
export function pathOrder(paths: readonly string[]): Uint32Array {
  // Without surrogates it is the order of `<`, which the engine compares by itself, several times faster.
  const compare = paths.some((path) => surrogate.test(path)) ? comparePaths : compareUnits;
  return Uint32Array.from(Array.from(paths.keys()).sort((a, b) => compare(paths[a] ?? '', paths[b] ?? '')));
}

function compareUnits(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** UTF-16 code units in the order of the code points they begin: surrogates stand for what is above U+FFFF. */
function codePointRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

export function brokenPathRule(path: string): string | undefined {
  if (path.length === 0) return 'is empty';
  if (path.length > limits.pathBytesMax) return tooLong(limits.pathBytesMax);
  if (path.startsWith('/')) return 'is absolute; it must be relative to the tree';
  if (drivePrefix.test(path)) return 'begins with a drive letter; it must be relative to the tree';
  const ascii = plainAscii.test(path);
  if (!ascii) {
    const broken = brokenTextRule(path, limits.pathBytesMax);
    if (broken !== undefined) return broken;
    if (path.normalize('NFC') !== path) return 'is not in Unicode normalisation form C';
  }
  const parts = path.split('/');
  if (parts.length > limits.pathDepthMax) return `has ${parts.length} parts; at most ${limits.pathDepthMax} are allowed`;
  for (const part of parts) {
    if (part === '') return "has an empty part ('//' or a '/' at the end)";
    if (part === '.' || part === '..') return `has a part '${part}'`;
    if ((ascii ? part.length : Buffer.byteLength(part)) > limits.pathPartBytesMax) {
      return `has a part of more than ${limits.pathPartBytesMax} bytes`;
    }
  }
  return undefined;
}

function brokenTargetRule(path: string, target: string): string | undefined {
  if (target === '') return 'has an empty target';
  if (target.startsWith('/')) return 'points to an absolute path; write its target relative to where it is';
  if (drivePrefix.test(target)) return 'points to a drive; the target must be relative';
  const broken = brokenTextRule(target, limits.symlinkTargetBytesMax);
  if (broken !== undefined) return `has a target that ${broken}`;
  let depth = path.split('/').length - 1;
  let isNamed = false;
  for (const part of target.split('/')) {
    if (part !== '..') {
      isNamed ||= part !== '' && part !== '.';
      continue;
    }
    // Where the name is a link itself, such as one to the root, the disk goes back from where that leads.
    if (isNamed) return "goes back with '..' after a name; write the target without the detour";
    depth -= 1;
    if (depth < 0) return 'points outside the tree; let it point to something in it';
  }
  return undefined;
}

function brokenTextRule(text: string, bytesMax: number): string | undefined {
  if (text.length > bytesMax) return tooLong(bytesMax);
  if (controls.test(text)) return 'contains a control character';
  if (!text.isWellFormed()) return 'is not well-formed Unicode';
  if (Buffer.byteLength(text) > bytesMax) return tooLong(bytesMax);
  return undefined;
}

function tooLong(bytesMax: number): string {
  return `is longer than ${bytesMax} bytes`;
}
