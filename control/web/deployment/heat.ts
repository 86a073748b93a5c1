// A fleet at a glance: each target of a deployment as one square. Which colour, which letter and which word stands for which phase, and how
// many there are of each. Pure.

import type { DeploymentTarget } from '../../../proto/api/deployments.ts';
import type { Standing, Tone } from '../attention.ts';

/** What a square says: the letter is for those who do not tell colours apart. */
export interface Heat extends Standing {
  readonly letter: string;
}

const wait = { tone: 'off', letter: '·' } as const;
const work = { tone: 'busy', letter: '↓' } as const;
const change = { tone: 'waiting', letter: '↻' } as const;
const fine = { tone: 'well', letter: '✓' } as const;
const wrong = { tone: 'bad', letter: '✕' } as const;

/** By TargetPhase of proto/fleet.ts. */
const heats: Readonly<Record<string, { readonly tone: Tone; readonly letter: string }>> = {
  assigned: wait,
  deferred: wait,
  cancelled: wait,
  downloading: work,
  downloaded: work,
  verified: work,
  staged: { tone: 'busy', letter: '=' },
  activating: change,
  'health-checking': change,
  'rolling-back': { tone: 'blocked', letter: '↶' },
  committed: fine,
  'already-current': fine,
  'rolled-back': wrong,
  inconsistent: wrong,
  rejected: wrong,
  failed: wrong,
  lost: { tone: 'bad', letter: '?' },
};

/** A phase as a square; one that this page does not know yet is shown as itself, in no colour. */
export function heatOf(phase: string): Heat {
  return { ...(heats[phase] ?? { tone: 'off', letter: '•' }), text: phase.replaceAll('-', ' ') };
}

/** Phases that occur, with how many targets are in each: what went wrong first, what is done last. */
export function legendOf(byPhase: Readonly<Record<string, number>>): readonly (Heat & { readonly targets: number })[] {
  const rank: readonly Tone[] = ['bad', 'blocked', 'waiting', 'busy', 'off', 'well'];
  return Object.entries(byPhase)
    .filter(([, targets]) => targets > 0)
    .map(([phase, targets]) => ({ ...heatOf(phase), targets }))
    .toSorted((a, b) => rank.indexOf(a.tone) - rank.indexOf(b.tone) || (a.text < b.text ? -1 : 1));
}

/** Targets by batch, in the order in which batches go. */
export function lanes(targets: readonly DeploymentTarget[]): readonly { readonly batch: number; readonly targets: readonly DeploymentTarget[] }[] {
  const byBatch = Map.groupBy(targets, ({ batch }) => batch);
  return [...byBatch.entries()].toSorted(([a], [b]) => a - b).map(([batch, found]) => ({ batch, targets: found }));
}

/** Targets that failed for the same reason. */
export interface Trouble {
  readonly phase: string;
  readonly code: string | undefined;
  readonly detail: string | undefined;
  /** By name. */
  readonly targets: readonly string[];
  /** What the first of them wrote that wrote anything. */
  readonly output: string | undefined;
  /** What to do, where that is known. */
  readonly advice?: string;
}

/** What somebody must look at: failures, losses and orders that are refused, each reason once, the most frequent first. */
export function troubles(targets: readonly DeploymentTarget[]): readonly Trouble[] {
  const bad = targets.filter(({ phase }) => heatOf(phase).tone === 'bad').map(({ name, phase, code, detail, output }) => ({ name, output, said: { phase, code, detail } }));
  const refusing = targets.flatMap(({ name, refused }) => (refused === undefined ? [] : [{ name, output: undefined, said: { phase: `refuses order ${refused.order}`, code: refused.code, detail: refused.detail, advice: refused.advice } }]));
  const alike = Map.groupBy([...bad, ...refusing], ({ said: { phase, code = '', detail = '' } }) => `${phase}\n${code}\n${detail}`);
  return [...alike.values()]
    .flatMap((found): readonly Trouble[] => {
      const [first] = found;
      return first === undefined ? [] : [{ ...first.said, targets: found.map(({ name }) => name).toSorted(), output: found.find(({ output = '' }) => output !== '')?.output }];
    })
    .toSorted((a, b) => b.targets.length - a.targets.length);
}
