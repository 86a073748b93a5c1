// What compliance frameworks ask of a change before it comes to production, as rules that a policy may have: each framework's pack. A
// policy says itself what it demands, since groups and environments have names; this says what one of its framework is expected to demand.

import type { CompliancePolicy, ComplianceRule } from '../../proto/pipeline.ts';

/** A rule that a framework expects, and where that is written. */
export interface Expected {
  readonly rule: ComplianceRule['rule'];
  readonly clause: string;
}

/** PCI DSS 4.0; Sarbanes-Oxley section 404 by way of COBIT 2019; the HIPAA security rule (45 CFR 164); FISMA by way of NIST SP 800-53 rev. 5. */
const packs: Readonly<Record<CompliancePolicy['framework'], readonly Expected[]>> = {
  SOX: [
    { rule: 'approvals', clause: 'COBIT BAI06.01: changes are authorised' },
    { rule: 'separationOfDuties', clause: 'SOX 404: who makes a change does not authorise it' },
    { rule: 'ticket', clause: 'COBIT BAI06.01: changes are recorded' },
  ],
  PCI: [
    { rule: 'approvals', clause: 'PCI DSS 6.5.1: approval by authorised parties' },
    { rule: 'testedIn', clause: 'PCI DSS 6.5.1: tested before production' },
    { rule: 'ticket', clause: 'PCI DSS 6.5.1: the change is documented' },
    { rule: 'separationOfDuties', clause: 'PCI DSS 6.5.4: roles are separated' },
  ],
  HIPAA: [
    { rule: 'approvals', clause: '45 CFR 164.308(a)(4): access is authorised' },
    { rule: 'signedArtifacts', clause: '45 CFR 164.312(c)(1): integrity' },
  ],
  FISMA: [
    { rule: 'approvals', clause: 'NIST CM-3: changes are approved' },
    { rule: 'ticket', clause: 'NIST CM-3: changes are documented' },
    { rule: 'testedIn', clause: 'NIST CM-3(2): tested before they are carried out' },
    { rule: 'separationOfDuties', clause: 'NIST AC-5: separation of duties' },
    { rule: 'signedArtifacts', clause: 'NIST CM-14: signed components' },
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
