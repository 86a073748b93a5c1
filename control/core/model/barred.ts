// For how long a roster names a member that was revoked: until none of its certificates can count any more. Without that a fleet that replaces its machines
// every day would at last be unable to sign a roster.

import { limits } from '../../../proto/limits.ts';
import type { Member } from './model.ts';

/** Life of a certificate, and a day for clocks that are behind. */
export const barredMs = limits.certificateLifeMs + 86_400_000;

/** Whether a roster made at `at` (milliseconds since 1970) names the member among those barred. */
export function isBarred({ revoked, renewedAt }: Pick<Member, 'revoked' | 'renewedAt'>, at: number): boolean {
  return revoked && at - renewedAt < barredMs;
}
