// The handler of decisions made again: it finds the moment in the journal. The decision itself is core/history/replay.ts.

import type { Replay } from '../../../proto/api/history.ts';
import type { JournalEntry } from '../../../proto/events.ts';
import { isReproduced, recordedIn, replay, type Moment } from '../../core/history/replay.ts';
import { ControlError } from '../../errors.ts';
import { found, type ApiOptions, type Handlers } from './api.ts';
import { blockerView } from '../views/governance.ts';

/** The past, for one request. */
type Ask = (wanted: (entry: JournalEntry) => boolean) => ReturnType<ApiOptions['past']>;

type Found = Moment & { readonly entry?: JournalEntry };

export function replayHandlers({ facts, clock, past }: Pick<ApiOptions, 'facts' | 'clock' | 'past'>): Handlers<'replayDecision'> {
  return {
    replayDecision: async ({ query: { seq, at, promotion, environment }, gone }) => {
      if ((seq === undefined) === (at === undefined)) throw new ControlError('INVALID_REQUEST', 'say when: either `seq`, the number of an entry, or `at`, an instant');
      const head = facts.state().head;
      if (seq !== undefined && seq > head) throw new ControlError('NOT_FOUND', `there is no entry ${seq} yet; the newest is ${head}`);
      if (at !== undefined && at > clock.now()) throw new ControlError('INVALID_REQUEST', 'that has not happened yet; `starling explain` and the gate with `at` say what would hold then');
      const ask: Ask = async (wanted) => await past(wanted, { signal: gone });
      const moment = seq === undefined ? await whenIt(ask, facts, at ?? 0) : await whereIt(ask, facts, seq);
      const { state } = moment;
      if (promotion !== undefined) found(state.promotions.get(promotion), 'promotion then', promotion);
      if (environment !== undefined) found(state.environments.get(environment), 'environment then', environment);
      const started = moment.entry?.event.kind === 'deployment.started' ? moment.entry.event.environment : undefined;
      const only = environment ?? (promotion === undefined ? started : undefined);
      return { body: replayView(moment, { ...(only === undefined ? {} : { environment: only }), ...(promotion === undefined ? {} : { promotion }) }) };
    },
  };
}

/** As things stood at an instant. */
async function whenIt(ask: Ask, facts: ApiOptions['facts'], at: number): Promise<Found> {
  const next = await ask((entry) => entry.at > at);
  return { state: next?.state ?? facts.state(), at };
}

/** Where the decision that led to an entry was made; of an entry that is no start, right after it. */
async function whereIt(ask: Ask, facts: ApiOptions['facts'], seq: number): Promise<Found> {
  const then = await ask((entry) => entry.seq === seq);
  if (then === undefined) throw new ControlError('NOT_FOUND', `there is no entry ${seq}`);
  const { entry, state } = then;
  const recorded = recordedIn(entry);
  if (recorded === undefined && entry.event.kind === 'deployment.started') return { state, at: entry.at, entry };
  const head = recorded?.head ?? seq;
  const after = head === state.head ? state : ((await ask((one) => one.seq === head + 1))?.state ?? facts.state());
  return recorded === undefined ? { state: after, at: entry.at } : { state: after, at: recorded.at, silent: recorded.silent, entry };
}

function replayView(moment: Found, only: { readonly environment?: string; readonly promotion?: string }): Replay {
  const { state, at, silent, entry } = moment;
  const decision = replay(moment, only);
  return {
    head: state.head,
    at,
    presence: { known: silent !== undefined, silent: [...(silent ?? [])].map((member) => state.members.get(member)?.name ?? member) },
    promotions: decision.promotions.map(({ promotion: { promotion, environment, app, number, phase }, gates }) => ({
      promotion, environment, app, number, phase,
      blockers: gates.blockers.map(blockerView),
      exemptions: gates.exemptions.map((one) => ({ ...one })),
      ...(gates.nextCheckAt === undefined ? {} : { nextCheckAt: gates.nextCheckAt }),
    })),
    events: decision.events.map((event) => ({ ...event })),
    ...(entry === undefined ? {} : { recorded: { seq: entry.seq, reproduced: isReproduced(entry, decision) } }),
  };
}
