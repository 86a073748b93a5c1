// A dry run for people: what would hold a promotion, and its batches, bytes and times with what these rest on.

import type { Forecast } from '../../../proto/api/forecast.ts';
import { visible } from './escape.ts';
import type { Moments } from './moments.ts';
import { bytesText, countText, durationText } from './text.ts';

type Leg = Forecast['legs'][number];

/** Names of a batch's targets that are told. */
const namesShown = 8;

const bases: Readonly<Record<Leg['bytes']['groups'][number]['basis'], string>> = {
  'runs-it': 'they run it already',
  measured: 'measured: the median of what targets fetched for the same change',
  uploads: 'an estimate: what was uploaded of the revisions between',
  whole: 'at most: the whole revision, as if nothing of it were there',
};

export function describeForecast(forecast: Forecast, moments: Moments): string {
  const { environment, blockers, nextCheckAt, exemptions, legs, supersedes, holds, releases } = forecast;
  const what = legs.map(({ app, to }) => `${app}@${to.number}`).join(' + ');
  return [
    blockers.length === 0 ? `${what} would start in '${environment}' at once` : `${what} would wait for '${environment}': ${countText(blockers.length, 'gate')} would hold it`,
    ...blockers.map(({ type, reason, until }) => `  ${type}: ${reason}${until === undefined ? '' : `, until ${moments.text(until)}`}`),
    ...(nextCheckAt === undefined ? [] : [`  looked at again ${moments.text(nextCheckAt)}`]),
    ...exemptions.map(({ gate, why }) => `  it would go past ${gate} (${why})`),
    ...supersedes.map((promotion) => `  it would supersede promotion ${promotion}`),
    ...holds.map((edge) => `  automation of ${edge} would be put on hold`),
    ...releases.map((edge) => `  automation of ${edge} would go on again`),
    ...legs.flatMap(describeLeg),
    'nothing was changed',
  ].map(visible).join('\n');
}

function describeLeg({ app, type, from, to, targets, batches, totalMs, timesFrom, bytes }: Leg): readonly string[] {
  const whence = from === undefined ? '' : `, from ${app}@${from.number}`;
  const last = batches.length;
  return [
    '',
    `${app}@${to.number} (${type}${whence}) on ${countText(targets, 'target')}, ${totalMs === undefined ? 'for how long nothing tells: nothing succeeded here yet' : `about ${durationText(totalMs)} without pauses, by ${timesFrom.join(', ')}`}`,
    ...batches.map(({ name, canary, targets: count, first, activeMs, bakeMs, pause, verify, samples }, index) => {
      const title = `batch ${index + 1} of ${last}${name === undefined ? '' : ` (${name})`}${canary === true ? ', canary' : ''}`;
      const names = `${first.slice(0, namesShown).join(', ')}${count > namesShown ? ', …' : ''}`;
      return `  ${title}: ${countText(count, 'target')}${names === '' ? '' : ` (${names})`}${activeMs === undefined ? '' : `, about ${durationText(activeMs)}`}${bakeMs === 0 ? '' : `, then ${durationText(bakeMs)} of bake`}${samples === undefined ? '' : `, until ${samples} samples were seen`}${verify === undefined ? '' : `, when workflow ${verify} is successful`}${pause === true ? ', then until somebody says so' : ''}`;
    }),
    `  bytes: ${bytesText(bytes.total)} in all${bytes.origin === undefined ? '' : `, of which ${bytesText(bytes.origin)} from seeds, by ${bytes.originFrom ?? ''}`}`,
    ...bytes.groups.map(({ from: running, targets: count, bytesEach, basis, evidence }) => `    ${countText(count, 'target')} with ${running === undefined ? 'nothing' : `${app}@${running}`}: ${bytesText(bytesEach)} each (${bases[basis]}${evidence === undefined ? '' : `, in ${evidence}`})`),
  ];
}
