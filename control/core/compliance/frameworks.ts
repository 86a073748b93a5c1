// What compliance frameworks ask of a change before it comes to production, as rules that a policy may have: each framework's pack. A
// policy says itself what it demands, since groups and environments have names; this says what one of its framework is expected to demand.

import type { CompliancePolicy, ComplianceRule } from '../../../proto/pipeline.ts';

/** A rule that a framework expects, and where that is written. */
export interface Expected {
  readonly rule: ComplianceRule['rule'];
  readonly clause: string;
}

/**
 * Each clause by its number in the version named here, in fewer words than it has:
 * - SOX: section 404 of the Sarbanes-Oxley Act asks for internal controls and names none; those that are usual are of COBIT 2019.
 * - PCI: PCI DSS 4.0.1 (June 2024; 6.5 is as in 4.0).
 * - HIPAA: the Security Rule, 45 CFR part 164 subpart C as in force since 2013. It has no clause about approving changes: what it asks is
 *   that a change which affects the security of health information is evaluated, and that malicious software is guarded against.
 * - FISMA: NIST SP 800-53 rev. 5 with the baselines of SP 800-53B. CM-3 and AC-5 are in moderate and high, SI-7(15) is in high alone;
 *   CM-14 (signed components) is in no baseline.
 */
const packs: Readonly<Record<CompliancePolicy['framework'], readonly Expected[]>> = {
  SOX: [
    { rule: 'approvals', clause: 'COBIT BAI06.01: changes are assessed and authorised' },
    { rule: 'separationOfDuties', clause: 'COBIT DSS06.03: duties are segregated' },
    { rule: 'testedIn', clause: 'COBIT BAI07.05: changes are tested before they go live' },
    { rule: 'ticket', clause: 'COBIT BAI06.01: changes are logged' },
  ],
  PCI: [
    { rule: 'approvals', clause: 'PCI DSS 6.5.1: documented approval by authorised parties' },
    { rule: 'testedIn', clause: 'PCI DSS 6.5.1: tested before production' },
    { rule: 'ticket', clause: 'PCI DSS 6.5.1: reason and description of the change' },
    { rule: 'separationOfDuties', clause: 'PCI DSS 6.5.4: roles are separated between production and pre-production' },
  ],
  HIPAA: [
    { rule: 'approvals', clause: '45 CFR 164.308(a)(8): evaluation in response to operational changes' },
    { rule: 'signedArtifacts', clause: '45 CFR 164.308(a)(5)(ii)(B): protection from malicious software' },
  ],
  FISMA: [
    { rule: 'approvals', clause: 'NIST SP 800-53 CM-3b: changes are reviewed and approved' },
    { rule: 'ticket', clause: 'NIST SP 800-53 CM-3c: decisions on changes are documented' },
    { rule: 'testedIn', clause: 'NIST SP 800-53 CM-3(2): tested and validated before they are final' },
    { rule: 'separationOfDuties', clause: 'NIST SP 800-53 AC-5: separation of duties' },
    { rule: 'signedArtifacts', clause: 'NIST SP 800-53 SI-7(15): authenticated before they are installed' },
  ],
  custom: [],
};

/** What a policy's framework expects and the policy does not demand. */
export function lackingOf({ framework, requires }: Pick<CompliancePolicy, 'framework' | 'requires'>): readonly Expected[] {
  return packs[framework].filter(({ rule }) => !requires.some((one) => one.rule === rule));
}

/** Which clause of its framework a demand of a policy is for; undefined where it is one of the organisation's own. */
export function clauseOf(framework: CompliancePolicy['framework'], rule: ComplianceRule['rule']): string | undefined {
  return packs[framework].find((one) => one.rule === rule)?.clause;
}
