// A slow second opinion on the gates: which types of blockers hold a promotion at a minute, written from control-plane.md
// (1.3, 1.4, 1.7, 1.8, section 6) and not from the program, of which it imports nothing that decides. Windows are judged
// minute by minute by what window-oracle.ts found on the wall clock. What machines were heard to say is taken to stay as fresh
// as it is: time alone makes nobody silent here.

import type { CaseEdge, CaseOverride, CaseRequest, CaseVote, GateCase, KnownWindow, Numbers } from './gate-case.ts';

const minuteMs = 60_000;

/** The types of the blockers at `minute`, sorted, each once. */
export function oracleAt(one: GateCase, minute: number): readonly string[] {
  return [...new Set([...lasting(one), ...passing(one, minute)])].toSorted();
}

/** The first minute after the question, before `limit`, at which the answer is another; undefined when there is none. */
export function oracleChange(one: GateCase, limit: number): number | undefined {
  const now = Math.floor(one.nowMs / minuteMs);
  const answer = passing(one, now).join();
  for (let minute = now + 1; minute < limit; minute += 1) {
    if (passing(one, minute).join() !== answer) return minute;
  }
  return undefined;
}

/** What time alone does not change. */
function lasting(one: GateCase): readonly string[] {
  const { kind } = one;
  const planned = kind === 'auto' || kind === 'manual';
  const found: string[] = [];
  const say = (type: string, is: boolean): void => void (is && found.push(type));
  const whole = wholeSet(one);
  const edges = edgesAsked(one);
  // T-7; a hotfix and a rollback are what one does when the pipeline is stopped.
  say('pipeline-disabled', one.placed && !one.pipelineEnabled && kind !== 'hotfix' && kind !== 'rollback');
  say('edge-disabled', planned && edges.some((edge) => edge.disabled));
  say('automation-off', (kind === 'auto' || kind === 'catch-up') && automationIsOff(one, edges));
  // V-3: of every set, in whatever way it comes.
  say('veto', one.vetoes.some((veto) => whole[veto.app] === veto.number && (veto.environment === undefined || veto.environment === 'prod')));
  say('hold', kind === 'auto' && edges.some((edge) => edge.held));
  say('same-set', kind === 'auto' && one.desired !== undefined && same(one.desired, whole));
  say('downgrade', kind === 'auto' && Object.entries(whole).some(([app, number]) => number < (one.desired?.[app] ?? 0)));
  say('after', planned && edges.some((edge) => edge.after.some((environment) => cameTo(one, environment, carried(one, edge)).length === 0)));
  // L-1; a rollback replaces what is under way, unless that goes back already.
  say('active-deployment', one.active !== undefined && (kind !== 'rollback' || one.active === 'rolling-back'));
  found.push(...machines(one, whole));
  say('coverage', planned && one.placed && !isSpread(one));
  say('workflow', planned && edges.some((edge) => !isVerified(one, edge)));
  say('approval', planned && edges.some((edge) => !isApproved(one, edge)));
  return found;
}

/** What may end, or begin, by time alone. */
function passing(one: GateCase, minute: number): readonly string[] {
  const { kind } = one;
  const found: string[] = [];
  const say = (type: string, is: boolean): void => void (is && found.push(type));
  const whole = wholeSet(one);
  const edges = edgesAsked(one);
  // 1.3: a pin stops any change, rollbacks too, except to the pinned set.
  say('pin', one.pin !== undefined && (one.pin.until === undefined || minute < one.pin.until) && !same(one.pin.set, whole));
  say('soak', (kind === 'auto' || kind === 'manual') && edges.some((edge) => isSoaking(one, edge, minute)));
  found.push(...closedBy(one, edges, minute));
  say('lock', one.locks.some((lock) => isAround(one, lock.scope) && (lock.expiresAt === undefined || minute < lock.expiresAt) && (kind !== 'rollback' || lock.includeRollback)));
  say('compliance', kind !== 'rollback' && kind !== 'catch-up' && one.placed && !isCompliant(one, whole, minute));
  return found;
}

/** What would run: what is brought, over what runs (S-5). */
export function wholeSet(one: GateCase): Numbers {
  return { ...one.current, ...one.brings };
}

function edgesAsked(one: GateCase): readonly CaseEdge[] {
  return one.placed ? one.edges.filter((edge) => edge.apps.some((app) => one.brings[app] !== undefined)) : [];
}

function carried(one: GateCase, edge: CaseEdge): Numbers {
  return Object.fromEntries(Object.entries(wholeSet(one)).filter(([app]) => edge.apps.includes(app)));
}

function same(a: Numbers, b: Numbers): boolean {
  const apps = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...apps].every((app) => a[app] === b[app]);
}

function automationIsOff(one: GateCase, edges: readonly CaseEdge[]): boolean {
  if (one.automationOff.includes('environment') || (one.placed && one.automationOff.includes('pipeline'))) return true;
  const apps = edges.length === 0 ? Object.keys(wholeSet(one)) : edges.flatMap((edge) => edge.apps);
  if (apps.some((app) => one.automationOff.includes(app))) return true;
  return edges.some((edge) => edge.automationOff || (one.kind === 'auto' && !edge.auto));
}

/** When exactly this came to an environment and was not left behind by a rollback. */
function cameTo(one: GateCase, environment: string, set: Numbers): readonly { readonly at: number; readonly set: Numbers }[] {
  return one.arrivals.filter((arrival) => arrival.environment === environment && !arrival.undone && Object.keys(set).every((app) => arrival.set[app] === set[app]));
}

function isSoaking(one: GateCase, edge: CaseEdge, minute: number): boolean {
  if (edge.soakMinutes === undefined) return false;
  const set = carried(one, edge);
  const [app = ''] = edge.apps;
  const since = edge.from === 'beta' ? cameTo(one, 'beta', set).map(({ at }) => at) : one.revisions.filter((revision) => revision.app === app && revision.number === set[app]).map(({ createdAt }) => createdAt);
  return since.length === 0 || minute < Math.min(...since) + edge.soakMinutes;
}

/** L-5: project around pipeline around stage around environment. */
function isAround(one: GateCase, scope: GateCase['locks'][number]['scope']): boolean {
  if (scope.kind === 'all') return true;
  if (scope.kind === 'environment') return scope.id === 'prod';
  return one.placed && { project: 'acme', pipeline: 'shop', stage: 'shop/last' }[scope.kind] === scope.id;
}

/** T-1, and freezes, which are windows without a schedule. Rollbacks and catch-ups pass both, by default. */
function closedBy(one: GateCase, edges: readonly CaseEdge[], minute: number): readonly string[] {
  const { kind } = one;
  const holdsThem = one.placed && one.windowsHoldRollback;
  if (kind === 'catch-up' && !holdsThem) return [];
  if (kind === 'rollback' && !holdsThem && one.config.rollbackIgnoresWindows !== false) return [];
  const lifted = liftedAt(one, minute);
  const frozen = one.freezes.some(({ freeze, scope, until }) => isAround(one, scope) && (until === undefined || minute < until) && !lifted.has(`freeze:${freeze}`));
  const asked = edges.length === 0 ? [[]] : edges.map((edge) => edge.windows);
  const closed = one.placed && asked.some((names) => {
    const windows = one.windows.filter(({ window }) => names.includes(window.window) || one.environmentWindows.includes(window.window));
    return !isOpen(one, windows, minute) && !isOpenLifted(one, windows, lifted, minute);
  });
  return [...(frozen ? ['freeze'] : []), ...(closed ? ['window'] : [])];
}

/** A window that is lifted denies nothing; one that allows, and is lifted, allows. */
function isOpenLifted(one: GateCase, windows: readonly KnownWindow[], lifted: ReadonlySet<string>, minute: number): boolean {
  const isLifted = ({ window }: KnownWindow): boolean => lifted.has(`window:${window.window}`);
  const denies = windows.filter((known) => known.window.kind === 'deny' && !isLifted(known));
  const allows = windows.filter((known) => known.window.kind === 'allow');
  return isOpen(one, allows.some(isLifted) ? denies : [...denies, ...allows], minute);
}

function isOpen(one: GateCase, windows: readonly KnownWindow[], minute: number): boolean {
  const active = ({ window, stretches }: KnownWindow): boolean =>
    stretches.some(([from, to]) => {
      if (minute < from || minute >= to) return false;
      const most = window.kind === 'allow' ? window.maxDeploysPerOccurrence : undefined;
      return most === undefined || one.starts.filter((start) => from <= start && start < to).length < most;
    });
  if (windows.some((known) => known.window.kind === 'deny' && active(known))) return false;
  const allows = windows.filter(({ window }) => window.kind === 'allow');
  return allows.length === 0 || allows.some(active);
}

/** What approved overrides lift: for this set and this environment, for as long as they count. */
function liftedAt(one: GateCase, minute: number): ReadonlySet<string> {
  const counts = ({ about, status, countsForMinutes, settledAt, rules, votes }: CaseOverride): boolean =>
    about === 'this' && status === 'approved' && (countsForMinutes === undefined || minute < settledAt + countsForMinutes) && fills(rules, votes, []);
  return new Set(one.overrides.filter(counts).flatMap(({ lifts }) => lifts));
}

/** The fleet: enough that answer, one that may be touched, the platform that is needed. */
function machines(one: GateCase, whole: Numbers): readonly string[] {
  const { config, kind } = one;
  const targets = one.targets.filter((target) => target.belongs);
  const found: string[] = [];
  const needs = one.revisions.filter((revision) => whole[revision.app] === revision.number && revision.needs !== undefined);
  // U-1. The only ranges in use are lower bounds of the first number.
  if (needs.some((revision) => targets.some(({ platform }) => platform === undefined || Number(platform.split('.')[0]) < Number(revision.needs?.slice(2))))) found.push('node-requirement');
  if (kind === 'catch-up') return found;
  if (targets.length === 0) return [...found, 'no-targets'];
  const after = config.unreachable?.afterMs ?? config.lostAfterMs;
  const tolerated = config.unreachable === undefined ? 0 : amount(config.unreachable.tolerate, targets.length, Math.floor);
  const threshold = Math.max(1, Math.min(config.failureThreshold.count, Math.ceil((targets.length * config.failureThreshold.percent) / 100)));
  const silent = targets.filter((target) => target.silentMs >= after).length;
  if (kind !== 'rollback' && silent >= threshold + tolerated) found.push('targets-offline');
  const touches = targets.some((target) => !target.changing && Object.entries(whole).some(([app, number]) => target.runs[app] !== undefined && target.runs[app] !== number));
  // Shares below 100 % always leave one that may change; numbers mean what they say.
  const all = typeof config.minHealthy === 'number' ? config.minHealthy >= targets.length : config.minHealthy === '100%';
  if (touches && all) found.push('min-healthy');
  return found;
}

function amount(share: number | string, total: number, round: (value: number) => number): number {
  return typeof share === 'number' ? share : round((total * Number(share.replace('%', ''))) / 100);
}

function isSpread({ wantedCoverage: wanted, seenCoverage: seen }: GateCase): boolean {
  return wanted === undefined || (seen.coverage >= wanted.coverage && seen.copiesPerZoneMin >= wanted.minCopiesPerZone);
}

/** the newest run of the workflow, as it is now, over a set that came to the source and is still good there. */
function isVerified(one: GateCase, edge: CaseEdge): boolean {
  if (edge.from === 'app' || !one.workflow) return true;
  return cameTo(one, 'beta', carried(one, edge)).some(({ set }) => passedIn(one, set));
}

function passedIn(one: GateCase, set: Numbers): boolean {
  return one.runs.filter((run) => run.asItIsNow && same(run.set, set)).at(-1)?.phase === 'successful';
}

/** */
function isApproved(one: GateCase, edge: CaseEdge): boolean {
  const unsaid = edge.from === 'app' || one.workflow ? undefined : { rules: [{ group: '*', count: 1 }], preventSelfApproval: true };
  const wanted = edge.approval ?? unsaid;
  if (wanted === undefined) return true;
  const request = edge.requests.filter(({ about }) => about === 'this').at(-1);
  if (request?.status !== 'approved') return false;
  const set = carried(one, edge);
  const authors = one.revisions.filter((revision) => set[revision.app] === revision.number).flatMap((revision) => revision.authors);
  const involved = wanted.preventSelfApproval ? [...authors, ...submitters(one)] : [];
  return fills(wanted.rules, request.votes, [...request.excluded, ...involved]);
}

/** Those whose promotions by hand wait for this very set. */
function submitters(one: GateCase): readonly string[] {
  return [...(one.kind === 'manual' ? [one.by] : []), ...(one.alsoAskedBy === undefined ? [] : [one.alsoAskedBy])];
}

/** C-1: everything that is enforced here is met, or lifted. */
function isCompliant(one: GateCase, whole: Numbers, minute: number): boolean {
  const lifted = liftedAt(one, minute);
  return one.policies.every(({ policy, requests }) => {
    if (policy.mode === 'observe' || !policy.environments.includes('prod') || lifted.has(`policy:${policy.policy}`)) return true;
    const request = requests.filter(({ about }) => about === 'this').at(-1);
    const rules = policy.requires.flatMap((rule) => (rule.rule === 'approvals' ? [rule] : []));
    if (rules.length > 0 && (request?.status !== 'approved' || !fills(rules, request.votes, request.excluded))) return false;
    return policy.requires.every((rule) => {
      const revisions = one.revisions.filter((revision) => whole[revision.app] === revision.number);
      switch (rule.rule) {
        case 'approvals':
          return true;
        case 'separationOfDuties':
          return !standing(request).some((vote) => vote.by === one.by || revisions.some(({ authors }) => authors.includes(vote.by)));
        case 'signedArtifacts':
          return revisions.every(({ signedBy }) => signedBy.some((key) => rule.keys.includes(key)));
        case 'testedIn':
          return cameTo(one, rule.environment, whole).some(({ set }) => rule.environment !== 'beta' || !one.workflow || passedIn(one, set));
        case 'ticket':
          // The only pattern in use is CHG-[0-9]+, as a word of its own.
          return /(^|[\s,;()])CHG-[0-9]+($|[\s,;()])/.test(one.reason ?? '');
        default:
          return rule satisfies never;
      }
    });
  });
}

function standing(request: CaseRequest | undefined): readonly CaseVote[] {
  return (request?.votes ?? []).filter((vote) => vote.decision === 'approve' && !vote.revoked && !request?.excluded.includes(vote.by));
}

/** A-3, by trying every assignment: each place another person, nobody who is excluded, nothing revoked. */
function fills(rules: CaseRequest['rules'], votes: readonly CaseVote[], excluded: readonly string[]): boolean {
  const people = votes.filter((vote) => vote.decision === 'approve' && !vote.revoked && !excluded.includes(vote.by));
  const places = rules.flatMap(({ group, count }) => Array.from({ length: count }, () => group));
  const assign = (place: number, taken: readonly string[]): boolean => {
    const group = places[place];
    if (group === undefined) return true;
    return people.some((vote) => !taken.includes(vote.by) && (group === '*' || vote.groups.includes(group)) && assign(place + 1, [...taken, vote.by]));
  };
  return assign(0, []);
}
