// Where one can go, and which of that somebody means by a few letters. Pure.

import type { PipelineSummary } from '../../../proto/api/pipelines.ts';

/** Somewhere to go. */
export interface Place {
  readonly kind: string;
  readonly name: string;
  readonly address: string;
}

export const screens: readonly Place[] = [
  ['Pipelines', '/pipelines'], ['Approvals', '/approvals'], ['Changes', '/changes'], ['Targets', '/targets'], ['Swarm', '/swarm'], ['Calendar', '/calendar'], ['Audit', '/audit'], ['Settings', '/settings'],
].map(([name = '', address = '']) => ({ kind: 'screen', name, address }));

interface Known {
  readonly environment: string;
  readonly deployment?: { readonly deployment: string };
}

const to = (kind: string, folder: string, name: string): Place => ({ kind, name, address: `/${folder}/${encodeURIComponent(name)}` });

/** What pipelines and environments there are, and the newest deployment of each. */
export function placesOf(pipelines: readonly Pick<PipelineSummary, 'pipeline'>[], environments: readonly Known[]): readonly Place[] {
  return [
    ...pipelines.map(({ pipeline }) => to('pipeline', 'pipelines', pipeline)),
    ...environments.map(({ environment }) => to('environment', 'environments', environment)),
    ...environments.flatMap(({ deployment }) => (deployment === undefined ? [] : [to('deployment', 'deployments', deployment.deployment)])),
  ];
}

export function placeOfTarget(name: string): Place {
  return to('target', 'targets', name);
}

/** What may be the beginning of a commit, or a revision: its way can be told. */
export function traceable(text: string): Place | undefined {
  return /^[0-9a-f]{6,64}$/.test(text) || /^[a-z0-9-]+@[A-Za-z0-9._-]+$/.test(text) ? { kind: 'the way of', name: text, address: `/trace?of=${encodeURIComponent(text)}` } : undefined;
}

/** What may be a part of the name of a machine; one letter fits too many. */
export function isPartOfName(text: string): boolean {
  return /^[a-z0-9-]{2,64}$/.test(text);
}

/** As many as are seen at a glance. */
const shownMax = 10;

/** Places that have all letters of a text: those that begin with it, then those of which a word does, then the others; among equals as they came. */
export function matching(places: readonly Place[], text: string): readonly Place[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === '') return places.slice(0, shownMax);
  const rank = ({ kind, name }: Place): number => {
    const [low, at] = [name.toLowerCase(), name.toLowerCase().indexOf(wanted)];
    if (at === 0) return 0;
    if (at > 0) return /[a-z0-9]/.test(low[at - 1] ?? '') ? 2 : 1;
    return `${kind} ${low}`.includes(wanted) ? 3 : 4;
  };
  return places.map((place) => ({ place, at: rank(place) })).filter(({ at }) => at < 4).toSorted((a, b) => a.at - b.at).slice(0, shownMax).map(({ place }) => place);
}
