// Answers what people and members ask for: facts to append, or a refusal that says what to do. What they may ask is commands/command.ts;
// what follows from the facts is decide.ts.

import { isBuildCommand } from '../commands/command-build.ts';
import { answerBuild } from './build.ts';
import type { Answer, Command } from '../commands/command.ts';
import { isGovernanceCommand } from '../commands/command-governance.ts';
import { isDeploymentCommand } from '../commands/command-deployment.ts';
import { conduct } from './deployment.ts';
import { changeEnvironment, createApp, createEnvironment, registerRevision } from './catalog.ts';
import { cordonMember, labelMember } from './target.ts';
import { createToken, enrolMember, locateMember, renewMember, report, revokeMember, revokeToken } from './fleet.ts';
import { govern } from './governance.ts';
import { abort, abortPromotion, promote, rollback } from './promotion.ts';
import type { State } from '../model/model.ts';
import { refuseOrder } from './refusal.ts';

/** Answers a command; append the facts when the journal's head is still `state.head`, else ask again. `now` in milliseconds since 1970. */
export function handle(state: State, command: Command, now: number): Answer {
  if (isGovernanceCommand(command)) return govern(state, command, now);
  if (isBuildCommand(command)) return answerBuild(state, command);
  if (isDeploymentCommand(command)) return conduct(state, command, now);
  switch (command.kind) {
    case 'create-app':
      return createApp(state, command);
    case 'create-environment':
      return createEnvironment(state, command);
    case 'change-environment':
      return changeEnvironment(state, command);
    case 'create-token':
      return createToken(state, command, now);
    case 'revoke-token':
      return revokeToken(state, command);
    case 'enrol-member':
      return enrolMember(state, command, now);
    case 'locate-member':
      return locateMember(state, command);
    case 'renew-member':
      return renewMember(state, command, now);
    case 'revoke-member':
      return revokeMember(state, command);
    case 'label-member':
      return labelMember(state, command);
    case 'cordon-member':
    case 'uncordon-member':
      return cordonMember(state, command);
    case 'register-revision':
      return registerRevision(state, command);
    case 'promote':
      return promote(state, command, now);
    case 'rollback':
      return rollback(state, command);
    case 'abort':
      return abort(state, command);
    case 'abort-promotion':
      return abortPromotion(state, command);
    case 'report':
      return report(state, command);
    case 'refuse-order':
      return refuseOrder(state, command, now);
    default:
      return command satisfies never;
  }
}
