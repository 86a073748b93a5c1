// The resources of /v1 as views of the state: every field is named here, so that nothing leaves that was not meant to.
// Deployments are deployments.ts.

import type { App, Revision, RevisionRef, UploadProxy } from '../../../proto/api/apps.ts';
import type { Environment } from '../../../proto/api/environments.ts';
import type { Promotion } from '../../../proto/api/promotions.ts';
import type { Refusal, Target } from '../../../proto/api/targets.ts';
import type { Token } from '../../../proto/api/tokens.ts';
import type { Digest } from '../../../proto/cid.ts';
import type { DeploymentConfig } from '../../../proto/events.ts';
import type * as deployments from '../../core/model/deployment.ts';
import type * as model from '../../core/model/model.ts';
import { isServing } from '../../core/model/phases.ts';
import { deploySpecOf } from '../../core/pipeline/problems.ts';
import { refusalAdvice, refusalsOf } from '../../core/explain/refusal.ts';
import { revisionOf, targetsOf } from '../../core/model/select.ts';
import type { Presence } from '../../fleet/presence.ts';

export function appView(state: model.State, app: model.App): App {
  const latest = app.revisions.at(-1);
  const deploySpec = deploySpecOf(state.pipelines.values(), app.app)?.path;
  return {
    app: app.app,
    project: app.project,
    createdAt: app.createdAt,
    revisions: app.revisions.length,
    ...(latest === undefined ? {} : { latest: refOf(latest) }),
    ...(deploySpec === undefined ? {} : { deploySpec }),
  };
}

export function revisionView(record: model.RevisionRecord): Revision {
  const { app, number, revision, cid, alias, entries, bytes, chunks, uploadedBytes, createdAt, createdBy } = record;
  return { app, number, revision, cid, entries, bytes, chunks, uploadedBytes, createdAt, createdBy, ...(alias === undefined ? {} : { alias }) };
}

export function environmentView(state: model.State, environment: model.Environment, presence: Presence): Environment {
  const { apps, slots, activeDeployment, newestDeployment } = environment;
  const targets = targetsOf(state, environment);
  const [app = ''] = apps;
  return {
    environment: environment.environment,
    app,
    selector: { ...environment.selector },
    config: configView(environment.config),
    createdAt: environment.createdAt,
    seq: environment.seq,
    ...slotView(state, app, slots[app]),
    apps: apps.map((one) => ({ app: one, ...slotView(state, one, slots[one]) })),
    ...(activeDeployment === undefined ? {} : { activeDeployment }),
    ...(newestDeployment === undefined ? {} : { newestDeployment }),
    waiting: [...environment.waiting],
    targets: countsOf(targets, apps, presence),
  };
}

/** In one go: an environment may have ten thousand targets, and is looked at often. */
function countsOf(targets: readonly model.Member[], apps: readonly string[], presence: Presence): Environment['targets'] {
  let [serving, changing, online] = [0, 0, 0];
  for (const member of targets) {
    serving += Number(apps.every((app) => isServing(member, app)));
    changing += Number(apps.some((app) => member.work[app]?.settled === false));
    online += Number(presence.connectivity(member.member) === 'online');
  }
  return { total: targets.length, serving, changing, online };
}

function slotView(state: model.State, app: string, slot: model.Slot | undefined) {
  return { ...ref('desired', state, app, slot?.desired), ...ref('current', state, app, slot?.current), ...ref('stable', state, app, slot?.stable) };
}

export function configView(config: DeploymentConfig) {
  const { batches, autoRollback, alarms, ...rest } = config;
  return {
    ...rest,
    ...(alarms === undefined ? {} : { alarms: alarms.map((alarm) => ({ ...alarm })) }),
    batches: batches.map((batch) => (typeof batch === 'object' ? { ...batch } : batch)),
    autoRollback: typeof autoRollback === 'object' ? { ...autoRollback, onVerification: [...autoRollback.onVerification] } : autoRollback,
  };
}

export function promotionView(state: model.State, promotion: model.Promotion): Promotion {
  const { reason, finishedAt, outcome, deployment, retryOf, attempt } = promotion;
  return {
    promotion: promotion.promotion,
    environment: promotion.environment,
    app: promotion.app,
    revision: promotion.revision,
    number: promotion.number,
    trigger: promotion.trigger,
    ...(promotion.cause === undefined ? {} : { cause: promotion.cause }),
    ...(promotion.edge === undefined ? {} : { edge: promotion.edge }),
    phase: promotion.phase,
    by: promotion.by,
    createdAt: promotion.createdAt,
    ...(reason === undefined ? {} : { reason }),
    ...(retryOf === undefined ? {} : { retryOf }),
    ...(attempt === undefined ? {} : { attempt }),
    ...(finishedAt === undefined ? {} : { finishedAt }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(deployment === undefined ? {} : { deployment }),
    ...(promotion.members === undefined ? {} : { members: Object.entries(promotion.members).map(([app, revision]) => ({ app, revision, number: revisionOf(state, app, revision)?.number ?? 0 })) }),
  };
}

export function targetView(state: model.State, member: model.Member, presence: Presence): Target {
  const heard = presence.of(member.member);
  const lastSeenAt = presence.seenAt(member.member);
  const refusals = refusalsOf(state, member);
  const misset = presence.missetOf(member.member);
  const said = new Map(heard?.running.map((running) => [`${running.app} ${running.revision}`, running]));
  return {
    member: member.member,
    name: member.name,
    roles: [...member.roles],
    environments: [...member.environments],
    labels: { ...member.labels },
    attributes: { ...member.attributes },
    addresses: [...member.addresses],
    enrolledAt: member.enrolledAt,
    revoked: member.revoked,
    ...(member.cordoned === undefined ? {} : { cordoned: { reason: member.cordoned.reason, since: member.cordoned.at } }),
    connectivity: presence.connectivity(member.member),
    ...(lastSeenAt === undefined ? {} : { lastSeenAt }),
    ...(misset === undefined ? {} : { clock: { aheadMs: misset.aheadMs, refusedAt: misset.at } }),
    ...(heard === undefined ? {} : { version: heard.version }),
    running: Object.entries(member.running).map(([app, { revision, number, since }]) => {
      // What was said before it was done says nothing of it: a poll that began amid the switch is open for a minute.
      const { healthy, drifted } = heard === undefined || heard.at < since ? {} : (said.get(`${app} ${revision}`) ?? {});
      return { app, revision, number, since, ...(healthy === undefined ? {} : { healthy }), ...(drifted === undefined ? {} : { drifted }) };
    }),
    work: Object.entries(member.work).map(([app, { environment, deployment, revision, phase, settled }]) => ({ app, environment, deployment, revision, phase, settled })),
    ...(refusals.length === 0 ? {} : { refused: refusals.map(({ refusal, ...where }) => ({ ...where, ...refusalView(member.name, refusal) })) }),
    fetching: (heard?.progress ?? []).map(({ deployment, haveBytes, totalBytes }) => ({ deployment, haveBytes, totalBytes })),
  };
}

/** A refusal, with what to do about it. */
export function refusalView(name: string, { seq, code, detail, at }: deployments.Refusal): Refusal {
  return { order: seq, code, detail, advice: refusalAdvice(code, name), since: at };
}

export function tokenView(token: model.Token): Token {
  const { use, name, usesMax, uses, createdAt, expiresAt, revoked } = token;
  return {
    token: token.token,
    use,
    name,
    scopes: [...token.scopes],
    groups: [...(token.groups ?? [])],
    roles: [...token.roles],
    environments: [...token.environments],
    labels: { ...token.labels },
    usesMax,
    uses,
    createdAt,
    expiresAt,
    revoked,
  };
}

/** Proxies that said where they take uploads, those that are there first, then by name. */
export function proxyViews(state: model.State, presence: Presence): readonly UploadProxy[] {
  return [...state.members.values()]
    .flatMap(({ member, name, roles, uploadUrl, revoked }) => {
      if (revoked || uploadUrl === undefined || !roles.includes('proxy')) return [];
      return [{ member, name, url: uploadUrl, connectivity: presence.connectivity(member) }];
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function ref<Key extends string>(key: Key, state: model.State, app: string, digest: Digest | undefined): { [K in Key]?: RevisionRef } {
  const record = digest === undefined ? undefined : revisionOf(state, app, digest);
  const found: { [K in Key]?: RevisionRef } = {};
  if (record !== undefined) found[key] = refOf(record);
  return found;
}

/** The names of a revision. */
export function refOf({ revision, number, alias }: model.RevisionRecord): RevisionRef {
  return { revision, number, ...(alias === undefined ? {} : { alias }) };
}
