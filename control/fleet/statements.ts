// The certificates that the control plane gives members, and when. How they are signed is control/trust; the roster is rosters.ts.

import { limits } from '../../proto/limits.ts';
import type { Certificate } from '../../proto/statement.ts';
import type { Member } from '../core/model/model.ts';
import type { TrustRepository } from '../trust/repository.ts';

const { certificateLifeMs } = limits;
/** A certificate is renewed when two thirds of its life have passed; the last third is for being away. */
const renewAfterMs = (certificateLifeMs * 2) / 3;

/** The certificate of a member: the same text whenever it is asked for, until it is renewed. */
export function certificateOf(member: Member, org: string, repository: TrustRepository): string {
  const notBefore = Math.floor(member.renewedAt / 1000);
  const certificate: Certificate = {
    org,
    member: member.member,
    name: member.name,
    roles: [...member.roles],
    environments: [...member.environments],
    labels: { ...member.labels },
    serial: member.serial,
    notBefore,
    notAfter: notBefore + certificateLifeMs / 1000,
  };
  return repository.signCertificate(certificate);
}

export function renewalDue(member: Member, now: number): boolean {
  return now - member.renewedAt >= renewAfterMs;
}

/** Whether the member may not have its newest certificate yet: the answer that carried it may have been lost. */
export function recentlyRenewed(member: Member, now: number): boolean {
  return member.serial > 1 && now - member.renewedAt < certificateLifeMs - renewAfterMs;
}
