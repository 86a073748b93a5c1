// Handlers of pipelines: apply, validate, plan, enable, disable, delete, and what there is.

import { deploymentDefaults } from '../../../proto/api/environments.ts';
import type { ApplyPipelineBody } from '../../../proto/api/pipelines.ts';
import type { ApplyPipeline } from '../../core/commands/command-governance.ts';
import type { State } from '../../core/model/model.ts';
import { applied, configurationOf, planPipeline } from '../../core/forecast/plan.ts';
import { answered, etagOf, found, unmatched, type ApiOptions, type Handlers } from './api.ts';
import type { NotificationOptions } from './notifications.ts';
import { parseSelector } from '../label-selector.ts';
import { pageByKey } from '../paging.ts';
import { problemOf, refusalProblem } from '../problems.ts';
import { graphView, pipelineSummary, pipelineView, planView, unknownChannels } from '../views/pipelines.ts';

export function pipelineHandlers({ facts, submit, observed, notifier }: ApiOptions & NotificationOptions): Handlers<
  | 'listPipelines' | 'getPipeline' | 'applyPipeline' | 'deletePipeline' | 'validatePipeline' | 'planPipeline' | 'enablePipeline' | 'disablePipeline' | 'getPipelineGraph'
> {
  const view = (state: State, name: string) => {
    const pipeline = found(state.pipelines.get(name), 'pipeline', name);
    return { body: pipelineView(state, pipeline), headers: { etag: versionOf(state, name) } };
  };
  const turn = async (actor: string, pipeline: string, on: boolean, reason: string | undefined) =>
    answered(await submit(actor, { kind: 'switch-pipeline', pipeline, on, ...(reason === undefined ? {} : { reason }) }), (state) => view(state, pipeline));
  return {
    listPipelines: async ({ query }) => {
      const state = facts.state();
      const { label, project: wanted } = query;
      const selects = label === undefined ? () => true : parseSelector(label);
      const all = [...state.pipelines.values()].filter(({ project, spec }) => (wanted === undefined || project === wanted) && selects(spec.labels ?? {})).toSorted((a, b) => (a.pipeline < b.pipeline ? -1 : 1));
      const page = pageByKey(all, ({ pipeline }) => pipeline, query);
      return { body: { ...page, items: page.items.map((pipeline) => pipelineSummary(state, pipeline)) } };
    },
    getPipeline: async ({ params: { pipeline } }) => view(facts.state(), pipeline),
    applyPipeline: async ({ params: { pipeline }, body, query, caller, ifMatch }) => {
      const command = commandOf(pipeline, body);
      // What is new cannot have been seen; what was deleted meanwhile was.
      const known = facts.state().pipelines.get(pipeline);
      if (known === undefined && ifMatch !== undefined) return { problem: problemOf('PRECONDITION', { detail: `there is no pipeline '${pipeline}' any more: somebody deleted it since you read it` }) };
      const problem = known === undefined ? undefined : unmatched(ifMatch, versionOf(facts.state(), pipeline));
      if (problem !== undefined) return { problem };
      // Checked once more where it is recorded: two may have read the same version.
      if (query.dryRun !== true) return answered(await submit(caller.actor, { ...command, generation: known?.generation ?? 0 }), (state) => view(state, pipeline));
      const after = applied(facts.state(), command, observed().now);
      return 'kind' in after ? { problem: refusalProblem(after) } : view(after, pipeline);
    },
    deletePipeline: async ({ params: { pipeline }, query: { reason }, caller, ifMatch }) => {
      found(facts.state().pipelines.get(pipeline), 'pipeline', pipeline);
      const problem = unmatched(ifMatch, versionOf(facts.state(), pipeline));
      if (problem !== undefined) return { problem };
      return answered(await submit(caller.actor, { kind: 'delete-pipeline', pipeline, ...(reason === undefined ? {} : { reason }) }), () => ({ body: undefined }));
    },
    validatePipeline: async ({ params: { pipeline }, body }) => {
      const after = applied(facts.state(), commandOf(pipeline, body), observed().now);
      return { body: 'kind' in after ? { valid: false, problems: [...(after.problems ?? [after.message])] } : { valid: true, problems: [] } };
    },
    planPipeline: async ({ params: { pipeline }, body }) => {
      const state = facts.state();
      const plan = planPipeline(state, observed(), commandOf(pipeline, body));
      return 'code' in plan ? { problem: refusalProblem(plan) } : { body: planView(state, pipeline, plan, unknownChannels(body.spec, notifier.channels.map(({ name }) => name))) };
    },
    enablePipeline: async ({ params: { pipeline }, body: { reason }, caller }) => await turn(caller.actor, pipeline, true, reason),
    disablePipeline: async ({ params: { pipeline }, body: { reason }, caller }) => await turn(caller.actor, pipeline, false, reason),
    getPipelineGraph: async ({ params: { pipeline } }) => {
      const state = facts.state();
      return { body: graphView(state, observed(), found(state.pipelines.get(pipeline), 'pipeline', pipeline)) };
    },
  };
}

/** What a PUT replaces: the pipeline and its environments. */
function versionOf(state: State, pipeline: string): string {
  return etagOf(configurationOf(state, pipeline));
}

function commandOf(pipeline: string, { project, spec, apps, environments, builds, enabled }: ApplyPipelineBody): ApplyPipeline {
  return {
    kind: 'apply-pipeline',
    pipeline,
    project,
    spec,
    apps,
    environments: environments.map(({ environment, apps: carried, selector, config }) => ({ environment, apps: carried, selector, config: { ...deploymentDefaults, ...config } })),
    ...(builds === undefined ? {} : { builds }),
    ...(enabled === undefined ? {} : { enabled }),
  };
}
