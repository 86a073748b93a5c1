// What an edit of a pipeline would do, as lines for people: differences by the words of the file, then what it invalidates, what
// it newly holds, and what it lets loose.

import type { Plan } from '../../../proto/api/pipelines.ts';
import type { PipelineFile } from '../../files/compile.ts';
import { durationText } from '../../files/units.ts';
import { visible } from './escape.ts';
import { rulesText } from './governance.ts';
import type { Colour } from './table.ts';

/** Colours a text where colours are shown. */
export type Paint = (colour: Colour, text: string) => string;

/** Longest value of a line. */
const shownMax = 80;
const marks = { add: { mark: '+', colour: 'green' }, remove: { mark: '-', colour: 'red' }, change: { mark: '~', colour: 'yellow' } } as const;
/** What the lists of a pipeline hold, in the singular. */
const nouns: Readonly<Record<string, string>> = { stages: 'stage', environments: 'environment', edges: 'promotion', windows: 'window', workflows: 'workflow', steps: 'step', policies: 'policy', batches: 'batch', builds: 'build of' };

/** Every line of a plan, visible; `file` is what would be applied. */
export function planLines(plan: Plan, file: Pick<PipelineFile, 'pipeline' | 'project' | 'spec' | 'environments'>, paint: Paint): readonly string[] {
  const title = { create: 'is new', change: 'would change', none: 'is as the file says' }[plan.kind];
  const line = (mark: string, colour: Colour, text: string): string => `  ${paint(colour, mark)} ${visible(text)}`;
  const attention = (text: string): string => line('!', 'yellow', text);
  return [
    `pipeline ${paint('bold', visible(plan.pipeline))} ${title}`,
    ...(plan.kind === 'create' ? outline(file).map((text) => line('+', 'green', text)) : plan.changes.map((change) => line(marks[change.action].mark, marks[change.action].colour, changeText(change)))),
    ...plan.approvals.map(({ approval, purpose, environment, source, becomes, reason }) =>
      attention(`approval ${approval} (${purpose}, ${source}${environment === undefined ? '' : ` to ${environment}`}) becomes ${becomes}: ${reason}`),
    ),
    ...plan.runs.map(({ run, workflow, environment, reason }) => attention(`run ${run} of workflow ${workflow} in ${environment} counts no longer: ${reason}`)),
    ...plan.promotions.flatMap(({ promotion, environment, holds, frees }) => [
      ...holds.map(({ type, reason }) => attention(`promotion ${promotion} to ${environment} would wait for ${type}: ${reason}`)),
      ...frees.map(({ type, reason }) => attention(`promotion ${promotion} to ${environment} would no longer wait for ${type}: ${reason}`)),
    ]),
    ...plan.forgets.map(({ kind, edge, reason }) => attention(`the ${kind} on ${edge} goes away with it${reason === '' ? '' : ` (${reason})`}`)),
    ...plan.begins.map(({ environment, edge }) => line('>', 'cyan', `automation promotes to ${environment} at once, along ${edge}`)),
  ];
}

function outline({ project, spec, environments }: Pick<PipelineFile, 'project' | 'spec' | 'environments'>): readonly string[] {
  const appsOf = (environment: string): string => environments.find((wish) => wish.environment === environment)?.apps.join(', ') ?? '';
  const sources = (environment: string): string =>
    spec.edges
      .filter(({ to }) => to === environment)
      .map((edge) => `${edge.from.kind === 'app' ? edge.from.app : edge.from.environment}${edge.auto ? '' : ' by hand'}${approvalText(spec, edge)}`)
      .join(', ');
  return [
    `project ${project}`,
    ...spec.stages.flatMap(({ stage, environments: places }) => [`stage ${stage}`, ...places.map(({ environment }) => `  environment ${environment} (${appsOf(environment)}) from ${sources(environment)}`)]),
    ...(['windows', 'workflows', 'policies'] as const).flatMap((key) => {
      const names = spec[key].map((one) => ('window' in one ? one.window : 'workflow' in one ? one.workflow : one.policy));
      return names.length === 0 ? [] : [`${key} ${names.join(', ')}`];
    }),
  ];
}

/** Who must say yes, which the file may leave unsaid: with no workflow in the source, and nothing said, one person must. */
function approvalText({ stages, workflows }: PipelineFile['spec'], { from, approval }: PipelineFile['spec']['edges'][number]): string {
  if (approval !== undefined) return `, approved by ${rulesText(approval.rules)}`;
  if (from.kind === 'app') return '';
  const source = stages.flatMap(({ environments }) => environments).find(({ environment }) => environment === from.environment);
  const checked = workflows.some(({ workflow }) => workflow === source?.workflow);
  return checked ? '' : `, approved by one person (${from.environment} has no workflow that could say that it is good)`;
}

function changeText({ action, path, before, after }: Plan['changes'][number]): string {
  const { place, field } = words(path);
  const what = [place, field.replace(/Ms$/, '')].filter((part) => part !== '').join(' ');
  const value = action === 'change' ? `: ${shown(before, field)} -> ${shown(after, field)}` : field === '' ? '' : `: ${shown(action === 'add' ? after : before, field)}`;
  return `${what}${value}`;
}

/** `stages/prod/environments/prod-na/windows`: within stage prod, environment prod-na, its field windows. */
function words(path: string): { readonly place: string; readonly field: string } {
  const parts = path.split('/');
  const place: string[] = [];
  for (;;) {
    // What an environment says of its deployments is a part of its own only in the model.
    if (parts.length > 1 && (parts[0] === 'config' || parts[0] === 'settings')) parts.shift();
    if (parts.length < 2 || nouns[parts[0] ?? ''] === undefined) break;
    const [list = '', name = ''] = parts.splice(0, 2);
    place.push(`${nouns[list]} ${name}`);
  }
  return { place: place.join(' '), field: parts.join('.') };
}

function shown(value: unknown, field: string): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'number' && field.endsWith('Ms')) return durationText(value);
  if (Array.isArray(value) && value.every((item) => typeof item !== 'object')) return value.length === 0 ? 'none' : value.join(', ').slice(0, shownMax);
  const text = typeof value === 'string' ? value : Array.isArray(value) ? value.map(itemText).join(', ') : itemText(value);
  return text.length <= shownMax ? text : `${text.slice(0, shownMax)}…`;
}

/** An item of a list as its file has it, nearly: `latest`, `2 of qa`. */
function itemText(item: unknown): string {
  const said = new Map<string, unknown>(typeof item === 'object' && item !== null ? Object.entries(item) : []);
  const [by, group, count] = [said.get('by'), said.get('group'), said.get('count')];
  if (said.size === 1 && typeof by === 'string') return by;
  return said.size === 2 && typeof group === 'string' && typeof count === 'number' ? `${count} of ${group}` : JSON.stringify(item);
}
