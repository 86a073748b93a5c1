// What people ask of one deployment, and what is measured of it, as data. Who answers is answers/deployment.ts.

import type { Verdict } from '../../../proto/events-pipeline.ts';

export type PauseDeployment = { readonly kind: 'pause-deployment'; readonly deployment: string; readonly reason?: string };
export type ResumeDeployment = { readonly kind: 'resume-deployment'; readonly deployment: string; readonly reason?: string };
/** Goes on to the next batch at once: the rest of the bake, what is to verify the batch, or the look that it asks for, is left out. */
export type NextBatch = { readonly kind: 'next-batch'; readonly deployment: string; readonly reason?: string };
/** `promotion`: the id of the promotion that tries again. */
export type RetryDeployment = { readonly kind: 'retry-deployment'; readonly deployment: string; readonly promotion: string; readonly reason?: string };
/** What an alarm or the samples of a batch came to. */
export type MeasureDeployment = { readonly kind: 'measure-deployment'; readonly deployment: string; readonly measure: string; readonly verdict: Verdict; readonly value?: string; readonly detail?: string };
export type DeploymentCommand = MeasureDeployment | PauseDeployment | ResumeDeployment | NextBatch | RetryDeployment;

const kinds: Readonly<Record<DeploymentCommand['kind'], true>> = { 'measure-deployment': true, 'pause-deployment': true, 'resume-deployment': true, 'next-batch': true, 'retry-deployment': true };

/** Whether a command is one of these. */
export function isDeploymentCommand(command: { readonly kind: string }): command is DeploymentCommand {
  return Object.hasOwn(kinds, command.kind);
}
