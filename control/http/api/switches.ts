// Handlers of promotion configurations and of automation: what is switched off, by whom and why.

import { automationKinds, type Automation } from '../../../proto/api/restraints.ts';
import { findEdge, unknownEdge } from '../../core/answers/pipeline.ts';
import { edgesOf } from '../../core/gates/place.ts';
import type { State } from '../../core/model/model.ts';
import { ControlError } from '../../errors.ts';
import { answered, etagOf, found, unmatched, type ApiOptions, type Handlers } from './api.ts';
import { holdVersion } from './restraints.ts';
import { pageByKey } from '../paging.ts';
import { automationView, promotionConfigView } from '../views/governance.ts';

export function promotionConfigHandlers({ facts, submit }: ApiOptions): Handlers<'listPromotionConfigs' | 'getPromotionConfig' | 'enablePromotionConfig' | 'disablePromotionConfig'> {
  const view = (state: State, id: string) => {
    const edge = findEdge(state, id);
    if (edge === undefined) throw new ControlError('NOT_FOUND', unknownEdge(state, id));
    // Of the hold: the only part that a DELETE takes away.
    return { body: promotionConfigView(state, edge), headers: { etag: holdVersion(state, id) } };
  };
  return {
    listPromotionConfigs: async ({ params: { pipeline }, query }) => {
      const state = facts.state();
      const edges = edgesOf(found(state.pipelines.get(pipeline), 'pipeline', pipeline)).toSorted((a, b) => (a.id < b.id ? -1 : 1));
      const page = pageByKey(edges, ({ id }) => id, query);
      return { body: { ...page, items: page.items.map((edge) => promotionConfigView(state, edge)) } };
    },
    getPromotionConfig: async ({ params: { pipeline, edge } }) => view(facts.state(), `${pipeline}/${edge}`),
    enablePromotionConfig: async ({ params: { pipeline, edge }, body: { reason }, caller }) => {
      const id = `${pipeline}/${edge}`;
      return answered(await submit(caller.actor, { kind: 'switch-edge', edge: id, on: true, ...(reason === undefined ? {} : { reason }) }), (state) => view(state, id));
    },
    disablePromotionConfig: async ({ params: { pipeline, edge }, body: { reason }, caller }) => {
      const id = `${pipeline}/${edge}`;
      return answered(await submit(caller.actor, { kind: 'switch-edge', edge: id, on: false, reason }), (state) => view(state, id));
    },
  };
}

export function automationHandlers({ facts, submit }: ApiOptions): Handlers<'listAutomation' | 'getAutomation' | 'setAutomation'> {
  const view = (state: State, kind: Automation['kind'], id: string) => {
    const body = automationView(state, kind, id);
    return { body, headers: { etag: etagOf([body.on, body.at]) } };
  };
  return {
    listAutomation: async ({ query }) => {
      const state = facts.state();
      const keys = [...state.switches.keys()].toSorted().flatMap((key) => {
        const at = key.indexOf(':');
        const kind = automationKinds.find((one) => one === key.slice(0, at));
        return kind === undefined ? [] : [{ key, kind, id: key.slice(at + 1) }];
      });
      const page = pageByKey(keys, ({ key }) => key, query);
      return { body: { ...page, items: page.items.map(({ kind, id }) => automationView(state, kind, id)) } };
    },
    getAutomation: async ({ params: { kind, id } }) => {
      const state = facts.state();
      return view(state, known(state, kind, id), id);
    },
    setAutomation: async ({ params: { kind: text, id }, body: { on, reason }, caller, ifMatch }) => {
      const state = facts.state();
      const kind = known(state, text, id);
      const problem = unmatched(ifMatch, view(state, kind, id).headers.etag);
      if (problem !== undefined) return { problem };
      if (!on && reason === undefined) throw new ControlError('INVALID_REQUEST', `turning the automation of ${kind} '${id}' off needs a reason: others will wonder why nothing moves`);
      return answered(await submit(caller.actor, { kind: 'set-automation', scope: { kind, id }, on, ...(reason === undefined ? {} : { reason }) }), (after) => view(after, kind, id));
    },
  };
}

/** @throws {ControlError} NOT_FOUND */
function known(state: State, text: string, id: string): Automation['kind'] {
  const kind = automationKinds.find((one) => one === text);
  if (kind === undefined) throw new ControlError('NOT_FOUND', `there is no automation of '${text}'; there is one of ${automationKinds.join(', ')}`);
  if (kind === 'edge' && findEdge(state, id) === undefined) throw new ControlError('NOT_FOUND', unknownEdge(state, id));
  if (kind === 'pipeline') found(state.pipelines.get(id), kind, id);
  if (kind === 'environment') found(state.environments.get(id), kind, id);
  if (kind === 'app') found(state.apps.get(id), 'application', id);
  return kind;
}
