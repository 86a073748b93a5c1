// Answers commands about pipelines: which function answers which. What they may ask is command-governance.ts.

import type { GovernanceCommand } from '../commands/command-governance.ts';
import type { Answer } from '../commands/command.ts';
import { requestApproval, requestOverride, reviewOverride, revokeVote, settleRequest, vote } from './approval.ts';
import { applyPipeline, deletePipeline, describeRevision, setAutomation, switchEdge, switchPipeline } from './pipeline.ts';
import { acquireLock, endFreeze, placePin, placeVeto, releaseHold, releaseLock, removePin, removeVeto, startFreeze } from './restraints.ts';
import type { State } from '../model/model.ts';
import { beginStep, decideStep, endStep, finishWorkflow, measureStep, notifyStep, reportStep, startWorkflow } from './workflow.ts';

/** Answers a command about pipelines; `now` in milliseconds since 1970. */
export function govern(state: State, command: GovernanceCommand, now: number): Answer {
  switch (command.kind) {
    case 'apply-pipeline':
      return applyPipeline(state, command);
    case 'switch-pipeline':
      return switchPipeline(state, command);
    case 'delete-pipeline':
      return deletePipeline(state, command);
    case 'switch-edge':
      return switchEdge(state, command);
    case 'set-automation':
      return setAutomation(state, command);
    case 'describe-revision':
      return describeRevision(state, command);
    case 'release-hold':
      return releaseHold(state, command);
    case 'place-pin':
      return placePin(state, command);
    case 'remove-pin':
      return removePin(state, command);
    case 'place-veto':
      return placeVeto(state, command);
    case 'remove-veto':
      return removeVeto(state, command);
    case 'acquire-lock':
      return acquireLock(state, command, now);
    case 'release-lock':
      return releaseLock(state, command);
    case 'start-freeze':
      return startFreeze(state, command, now);
    case 'end-freeze':
      return endFreeze(state, command);
    case 'request-approval':
      return requestApproval(state, command);
    case 'request-override':
      return requestOverride(state, command);
    case 'vote':
      return vote(state, command, now);
    case 'review-override':
      return reviewOverride(state, command);
    case 'revoke-vote':
      return revokeVote(state, command);
    case 'settle-request':
      return settleRequest(state, command);
    case 'start-workflow':
      return startWorkflow(state, command, now);
    case 'report-step':
      return reportStep(state, command, now);
    case 'begin-step':
      return beginStep(state, command, now);
    case 'end-step':
      return endStep(state, command, now);
    case 'measure-step':
      return measureStep(state, command, now);
    case 'notify-step':
      return notifyStep(state, command, now);
    case 'decide-step':
      return decideStep(state, command, now);
    case 'finish-workflow':
      return finishWorkflow(state, command, now);
    default:
      return command satisfies never;
  }
}
