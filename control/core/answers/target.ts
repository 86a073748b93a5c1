// Commands about one machine that operators give: its labels, and whether deployments begin with it. How it becomes and ceases to be
// a member is fleet.ts.

import { limits } from '../../../proto/limits.ts';
import { accepted, refused } from '../commands/answer.ts';
import type { Answer, CordonMember, LabelMember, UncordonMember } from '../commands/command.ts';
import { labelProblems } from '../pipeline/config.ts';
import type { State } from '../model/model.ts';
import { canonicalText } from '../model/sets.ts';

/** Labels select what a machine runs, so that only operators set them (N-7); the certificate has them from its next renewal. */
export function labelMember(state: State, { member, labels }: LabelMember): Answer {
  const known = state.members.get(member);
  if (known === undefined) return refused('not-found', `there is no member ${member}`);
  if (known.revoked) return refused('conflict', `member '${known.name}' was revoked; it has no part in anything any more`);
  const count = Object.keys(labels).length;
  const problems = [...labelProblems(labels), ...(count > limits.labelsMax ? [`${count} labels; at most ${limits.labelsMax} may be`] : [])];
  if (problems.length > 0) return refused('invalid', `target '${known.name}': ${problems.join('; ')}`);
  return canonicalText(known.labels) === canonicalText(labels) ? accepted() : accepted({ kind: 'member.labelled', member, labels });
}

/** What is so already is not said again. */
export function cordonMember(state: State, command: CordonMember | UncordonMember): Answer {
  const known = state.members.get(command.member);
  if (known === undefined) return refused('not-found', `there is no member ${command.member}`);
  if (known.revoked) return refused('conflict', `member '${known.name}' was revoked; it has no part in anything any more`);
  if (!known.roles.includes('agent')) return refused('invalid', `'${known.name}' is no target, but ${known.roles.join(', ')}: nothing is deployed to it`);
  if (command.kind === 'uncordon-member') return known.cordoned === undefined ? accepted() : accepted({ kind: 'member.uncordoned', member: command.member });
  return known.cordoned?.reason === command.reason ? accepted() : accepted({ kind: 'member.cordoned', member: command.member, reason: command.reason });
}
