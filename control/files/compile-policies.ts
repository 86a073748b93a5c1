// Compliance policies of a file as policies of the model.

import type { CompliancePolicy, ComplianceRule } from '../../proto/pipeline.ts';
import { lackingOf } from '../core/compliance/frameworks.ts';
import type { Findings } from './findings.ts';
import type { PolicyText } from './schema.ts';
import type { Path } from './source.ts';
import { durationMs } from './units.ts';

type RuleText = PolicyText['requires'][number];
/** How long a lifted policy stays lifted when a file does not say. */
export const breakGlassExpiryText = '4h';

const keysOfRule: Readonly<Record<RuleText['rule'], readonly (keyof RuleText)[]>> = {
  approvals: ['group', 'count'],
  separationOfDuties: ['author', 'submitter'],
  signedArtifacts: ['keys'],
  testedIn: ['environment'],
  ticket: ['pattern'],
};

export function policyOf(written: PolicyText, path: Path, findings: Findings, environments: readonly string[]): CompliancePolicy {
  findings.references([...path, 'appliesTo', 'environments'], 'environment', written.appliesTo.environments, environments);
  const requires = written.requires.flatMap((rule, index) => ruleOf(rule, [...path, 'requires', index], findings, environments) ?? []);
  const framework = written.framework ?? 'custom';
  for (const { rule, clause } of lackingOf({ framework, requires })) findings.warn([...path, 'requires'], `${framework} expects rule '${rule}' too, which this policy does not demand (${clause})`);
  const { breakGlass } = written;
  if (breakGlass !== undefined && breakGlass.allowed !== false && breakGlass.group === undefined) findings.problem([...path, 'breakGlass'], "'group' is missing: who may lift the policy");
  return {
    policy: written.name,
    framework,
    version: written.version ?? 1,
    mode: written.mode ?? 'enforce',
    environments: written.appliesTo.environments,
    requires,
    ...(breakGlass?.group === undefined || breakGlass.allowed === false
      ? {}
      : { breakGlass: { group: breakGlass.group, count: breakGlass.count ?? 1, expiresMs: durationMs(breakGlass.expires ?? breakGlassExpiryText) ?? 0, ...(breakGlass.requireReview === true ? { requireReview: true } : {}) } }),
  };
}

function ruleOf(rule: RuleText, path: Path, findings: Findings, environments: readonly string[]): ComplianceRule | undefined {
  const known: readonly string[] = ['rule', ...keysOfRule[rule.rule]];
  for (const key of Object.keys(rule)) {
    if (!known.includes(key)) findings.atKey([...path, key], `'${key}' is not for rule ${rule.rule}; that has ${keysOfRule[rule.rule].join(', ')}`);
  }
  const missing = (key: string, example: string): undefined => {
    findings.problem(path, `rule ${rule.rule} needs '${key}', such as ${example}`);
    return undefined;
  };
  switch (rule.rule) {
    case 'approvals':
      return rule.group === undefined ? missing('group', 'group: security') : { rule: 'approvals', group: rule.group, count: rule.count ?? 1 };
    case 'separationOfDuties':
      return { rule: 'separationOfDuties' };
    case 'signedArtifacts':
      return rule.keys === undefined || rule.keys.length === 0 ? missing('keys', 'keys: [release-key]') : { rule: 'signedArtifacts', keys: rule.keys };
    case 'testedIn':
      if (rule.environment === undefined) return missing('environment', 'environment: gamma');
      findings.reference([...path, 'environment'], 'environment', rule.environment, environments);
      return { rule: 'testedIn', environment: rule.environment };
    case 'ticket':
      if (rule.pattern === undefined) return missing('pattern', 'pattern: "CHG-[0-9]+"');
      if (!isPattern(rule.pattern)) findings.problem([...path, 'pattern'], `'${rule.pattern}' is not a regular expression such as "CHG-[0-9]+"`);
      return { rule: 'ticket', pattern: rule.pattern };
    default:
      return rule.rule satisfies never;
  }
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text) instanceof RegExp;
  } catch {
    return false;
  }
}
