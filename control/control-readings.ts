// Figures over the state and the journal's newest facts, in the form in which metrics show them. Part of the composition root.

import type { JournalEntry } from '../proto/events.ts';
import type { Transfer } from '../proto/fleet.ts';
import { evaluateGates } from './core/gates/gates.ts';
import type { State } from './core/model/model.ts';
import type { Observed } from './core/model/select.ts';
import { targetsOf } from './core/model/select.ts';
import type { Presence } from './fleet/presence.ts';
import { words, type Metrics, type Readings } from './metrics.ts';
import type { Notifier } from './notify/notifier.ts';

/** Answers each scrape from the state as it is then. */
export function readingsOf(state: () => State, observed: () => Observed, presence: Presence, notifier: () => Pick<Notifier, 'channels' | 'outbox'> | undefined): Readings {
  return {
    *outboxPending() {
      const waiting = (notifier()?.outbox.list() ?? []).filter((one) => one.state === 'pending');
      for (const { name } of notifier()?.channels ?? []) yield { sink: name, value: waiting.filter((one) => one.channel === name).length };
    },
    *agents() {
      for (const environment of state().environments.values()) {
        const found = targetsOf(state(), environment).map(({ member }) => presence.connectivity(member));
        for (const word of words.connectivity) yield { environment: environment.environment, state: word, value: found.filter((one) => one === word).length };
      }
    },
    *misset() {
      yield { value: presence.misset().size };
    },
    *promotionsActive() {
      for (const { environment, waiting, activeDeployment } of state().environments.values()) {
        yield { environment, state: 'waiting', value: waiting.length };
        yield { environment, state: 'deploying', value: activeDeployment === undefined ? 0 : 1 };
      }
    },
    *promotionBlocked() {
      for (const { environment, waiting } of state().environments.values()) {
        const promotions = waiting.flatMap((id) => state().promotions.get(id) ?? []);
        const gates = new Set(promotions.flatMap((promotion) => evaluateGates(state(), promotion, observed()).blockers.map(({ type }) => type)));
        for (const gate of gates) yield { environment, gate, value: 1 };
      }
    },
    *driftTargets() {
      for (const environment of state().environments.values()) {
        const wanted = Object.entries(environment.slots).filter(([app, slot]) => slot.current !== undefined && environment.apps.includes(app));
        const idle = environment.activeDeployment === undefined && environment.continuing === undefined && wanted.length > 0;
        const adrift = idle ? targetsOf(state(), environment).filter((member) => wanted.some(([app, slot]) => member.running[app]?.revision !== slot.current)) : [];
        yield { environment: environment.environment, value: adrift.length };
      }
    },
  };
}

function countTransfer(metrics: Metrics, transfer: Transfer | undefined): void {
  if (transfer === undefined) return;
  metrics.originSent.inc(transfer.originBytes);
  metrics.transferred.inc({ source: 'origin' }, transfer.originBytes);
  metrics.transferred.inc({ source: 'peer' }, transfer.peerBytes);
  metrics.transferred.inc({ source: 'disk' }, transfer.reusedBytes);
  metrics.transferWasted.inc(transfer.wastedBytes);
  metrics.crossZone.inc(transfer.crossZoneBytes ?? 0);
}

/** Counts what new entries say. What was on record before this process began is in nobody's rate. */
export function countEntries(metrics: Metrics, state: State, entries: readonly JournalEntry[]): void {
  for (const { at, event } of entries) {
    if (event.kind === 'revision.created') metrics.releases.inc();
    else if (event.kind === 'target.reported') countTransfer(metrics, event.report.transfer);
    else if (event.kind === 'deployment.rolling-back') metrics.rollbacks.inc({ reason: 'automatic' });
    else if (event.kind === 'promotion.created' && event.trigger === 'rollback') metrics.rollbacks.inc({ reason: 'manual' });
    else if (event.kind === 'promotion.finished') {
      const promotion = state.promotions.get(event.promotion);
      if (promotion === undefined) continue;
      metrics.promotions.inc({ environment: promotion.environment, result: event.phase, trigger: promotion.trigger });
      metrics.promotionDuration.observe({ environment: promotion.environment, result: event.phase }, (at - promotion.createdAt) / 1000);
    }
  }
}
