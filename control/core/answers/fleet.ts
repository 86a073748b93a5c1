// Commands about who takes part: tokens, members, and what members report.

import { limits } from '../../../proto/limits.ts';
import { accepted, refused } from '../commands/answer.ts';
import type { Answer, CreateToken, EnrolMember, LocateMember, RenewMember, ReportCommand, RevokeMember, RevokeToken } from '../commands/command.ts';
import { labelProblems, nameProblem } from '../pipeline/config.ts';
import type { State, Token } from '../model/model.ts';
import { isBarred, isPresent, namedMs } from '../model/roster.ts';
import { isNews } from '../evolve/report.ts';

const scopePattern = /^[a-z-]+:(\*|[a-z-]+\/(\*|[a-z0-9-]+))$/;

export function createToken(state: State, { kind: _kind, ...token }: CreateToken, now: number): Answer {
  if (state.tokens.has(token.token)) return refused('conflict', `token '${token.token}' exists already`);
  const problem = nameProblem('a token', token.name);
  if (problem !== undefined) return refused('invalid', problem);
  if (token.expiresAt <= now) return refused('invalid', `token '${token.name}' would have expired already; choose a later time`);
  if (token.use === 'api') {
    const wrong = token.scopes.find((scope) => !scopePattern.test(scope));
    if (wrong !== undefined) return refused('invalid', `'${wrong}' is not a scope; write one such as 'promote:env/prod', 'upload:app/web', 'read:*' or 'admin:*'`);
    if (token.scopes.length === 0) return refused('invalid', `token '${token.name}' has no scopes, so that it could do nothing; name at least one`);
    const group = token.groups?.find((one) => nameProblem('a group', one) !== undefined);
    if (group !== undefined) return refused('invalid', `'${group}' is not the name of a group: lower-case letters, digits and inner hyphens`);
    return accepted({ kind: 'token.created', ...token });
  }
  if (token.roles.length === 0) return refused('invalid', `join token '${token.name}' has no roles; name at least one of agent, seed, proxy`);
  if (!Number.isSafeInteger(token.usesMax) || token.usesMax < 1) return refused('invalid', `join token '${token.name}' could be used ${token.usesMax} times; at least 1 is needed`);
  const unknown = token.environments.find((environment) => !state.environments.has(environment));
  if (unknown !== undefined) return refused('not-found', `there is no environment '${unknown}'; create it first, so that members can be certified for it: \`starling env create ${unknown} --app APP --targets key=value\``);
  const problems = labelProblems(token.labels);
  if (problems.length > 0) return refused('invalid', `join token '${token.name}': ${problems.join('; ')}`);
  return accepted({ kind: 'token.created', ...token });
}

export function revokeToken(state: State, { token, reason }: RevokeToken): Answer {
  const existing = state.tokens.get(token);
  if (existing === undefined) return refused('not-found', `there is no token '${token}'`);
  return existing.revoked ? accepted() : accepted({ kind: 'token.revoked', token, reason });
}

/** A member whose answer was lost may ask again with the same key and token, and is the same member. */
export function enrolMember(state: State, command: EnrolMember, now: number): Answer {
  const token = state.tokens.get(command.token);
  if (token === undefined || token.use !== 'join') return refused('forbidden', 'this join token is not known here; create one with `starling token create --join`');
  if (token.revoked) return refused('forbidden', `join token '${token.name}' was revoked; create a new one`);
  const existing = state.members.get(command.member);
  if (existing !== undefined) {
    if (existing.revoked) return refused('forbidden', `member '${existing.name}' was revoked; it may join again with a new key only`);
    if (existing.token === command.token && existing.publicKey === command.publicKey && existing.name === command.name) return accepted();
    return refused('conflict', `this key is enrolled already, as '${existing.name}'; run the member with the identity that it has`);
  }
  if (token.expiresAt <= now) return refused('forbidden', `join token '${token.name}' has expired; create a new one`);
  if (token.uses >= token.usesMax) return refused('forbidden', `join token '${token.name}' has been used ${token.uses} of ${token.usesMax} times; create a new one`);
  return enrolWith(state, command, token, now);
}

function enrolWith(state: State, command: EnrolMember, token: Token, now: number): Answer {
  const { member, name, publicKey, roles, attributes } = command;
  const problem = nameProblem('a member', name);
  if (problem !== undefined) return refused('invalid', problem);
  const unfit = roles.find((role) => !token.roles.includes(role));
  if (unfit !== undefined) return refused('forbidden', `join token '${token.name}' is for ${token.roles.join(', ')}, not for role '${unfit}'; create a token for it`);
  const { present, barred } = peersOf(state, now);
  if (present >= limits.rosterMembersMax) return refused('conflict', fullText(name));
  // Everybody may be revoked at once, and must then fit among those barred.
  if (present + barred >= limits.rosterRevokedMax) return refused('conflict', `${barred} members were revoked whose certificates have not expired yet, beside ${present} that are in the fleet: a roster can name ${limits.rosterRevokedMax} in all; '${name}' can join when some have expired, ${namedMs / 86_400_000} days after they were last renewed`);
  const namesake = state.names.get(name);
  if (namesake !== undefined) return refused('conflict', `there is a member named '${name}' already; choose another name, or revoke ${namesake} first`);
  const { environments, labels } = token;
  return accepted({ kind: 'member.enrolled', member, name, publicKey, roles, environments, labels, attributes, serial: 1, token: token.token });
}

function fullText(name: string): string {
  return `the fleet has ${limits.rosterMembersMax} members, as many as a roster can name; revoke those that are gone before '${name}' joins`;
}

/** Who is named in a roster. Counted only where there may be too many: this runs once for each of ten thousand that join. */
function peersOf({ members }: State, now: number): { readonly present: number; readonly barred: number } {
  let [present, barred] = [0, 0];
  if (members.size < Math.min(limits.rosterMembersMax, limits.rosterRevokedMax)) return { present, barred };
  members.forEach((member) => {
    present += Number(isPresent(member, now));
    barred += Number(isBarred(member, now));
  });
  return { present, barred };
}

export function locateMember(state: State, { member, addresses, uploadUrl }: LocateMember): Answer {
  const existing = state.members.get(member);
  if (existing === undefined) return refused('not-found', `there is no member ${member}`);
  if (existing.revoked) return refused('forbidden', `member '${existing.name}' was revoked`);
  const same = existing.uploadUrl === uploadUrl && existing.addresses.length === addresses.length && addresses.every((address, index) => existing.addresses[index] === address);
  if (same) return accepted();
  return accepted({ kind: 'member.located', member, addresses, ...(uploadUrl === undefined ? {} : { uploadUrl }) });
}

/** One that comes back after its certificate expired takes a place in the roster again, which others may have taken since. */
export function renewMember(state: State, { member }: RenewMember, now: number): Answer {
  const existing = state.members.get(member);
  if (existing === undefined) return refused('not-found', `there is no member ${member}`);
  if (existing.revoked) return refused('forbidden', `member '${existing.name}' was revoked, and gets no new certificate`);
  if (!isPresent(existing, now) && peersOf(state, now).present >= limits.rosterMembersMax) return refused('conflict', fullText(existing.name));
  return accepted({ kind: 'member.renewed', member, serial: existing.serial + 1 });
}

export function revokeMember(state: State, { member, reason }: RevokeMember): Answer {
  const existing = state.members.get(member);
  if (existing === undefined) return refused('not-found', `there is no member ${member}`);
  return existing.revoked ? accepted() : accepted({ kind: 'member.revoked', member, reason });
}

/** A report that says nothing new is accepted and forgotten (N-5): the member must stop sending it. */
export function report(state: State, { member: id, report: said }: ReportCommand): Answer {
  const member = state.members.get(id);
  if (member === undefined) return refused('not-found', `there is no member ${id}`);
  if (member.revoked) return refused('forbidden', `member '${member.name}' was revoked`);
  const deployment = state.deployments.get(said.deployment);
  // From somebody who was away for long: what it was told since then, it will answer too.
  if (deployment?.archived !== undefined) return accepted();
  const target = deployment?.targets.get(id);
  if (deployment === undefined || target === undefined) return refused('not-found', `there is no deployment '${said.deployment}' with target '${member.name}'`);
  if (deployment.environment !== said.environment || deployment.app !== said.app) {
    return refused('invalid', `deployment '${said.deployment}' is of ${deployment.app} in '${deployment.environment}', not of ${said.app} in '${said.environment}'`);
  }
  // An answer to an order that was never given would settle orders to come.
  const newest = state.environments.get(deployment.environment)?.orderSeq ?? 0;
  if (said.seq > newest) return refused('invalid', `the newest order of '${deployment.environment}' is ${newest}; the report answers ${said.seq}`);
  return isNews(state, id, said) ? accepted({ kind: 'target.reported', member: id, report: said }) : accepted();
}
