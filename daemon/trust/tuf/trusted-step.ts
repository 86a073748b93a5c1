// How far files that came together lead from what is trusted: every root in turn, then all the rest or none of it. What is kept of it is file-trust.ts.

import { limits } from '../../../proto/limits.ts';
import { DaemonError } from '../../errors.ts';
import { advance, advanceRoot, filesOf, type Files, type TrustedSet } from './trusted-set.ts';

/** Where files lead. */
export interface Step {
  readonly set: TrustedSet;
  readonly roots: readonly { readonly version: number; readonly text: string }[];
  readonly refused: DaemonError | undefined;
}

/** The roots one by one, each of which stands by itself, then all the rest as one group. */
export function step(before: TrustedSet, files: Files, now: number): Step {
  const roots: { readonly version: number; readonly text: string }[] = [];
  let set = before;
  try {
    for (let name = nextRootName(set); files[name] !== undefined; name = nextRootName(set)) {
      if (roots.length === limits.rootRotationsMax) {
        throw new DaemonError('METADATA_REFUSED', `${name} is more than ${limits.rootRotationsMax} roots further; the rest is taken the next time`);
      }
      const text = files[name] ?? '';
      set = advanceRoot(set, name, text);
      roots.push({ version: set.root.version, text });
    }
    const rest = Object.fromEntries(Object.entries(files).filter(([name]) => !name.endsWith('.root.json')));
    if (Object.keys(rest).length > 0) set = advance(set, rest, now);
    return { set, roots, refused: undefined };
  } catch (refused) {
    if (refused instanceof DaemonError) return { set, roots, refused };
    throw refused;
  }
}

function nextRootName(set: TrustedSet): string {
  return `${set.root.version + 1}.root.json`;
}

/** Names of the files that are not as they were. */
export function changedNames(before: TrustedSet, after: TrustedSet, roots: Step['roots']): readonly string[] {
  const was = filesOf(before);
  const is = filesOf(after);
  const names = new Set([...Object.keys(was), ...Object.keys(is)]);
  return [...roots.map(({ version }) => `${version}.root.json`), ...[...names].filter((name) => was[name] !== is[name])];
}
