// What people can be told of, by name, and the rules that say to whom. Which fact is called what is control/core/notices.ts;
// how a notice gets there is control/notify.

/** What a rule may name (CDS-14, and what else people wait for). */
export const noticeNames = [
  'approval.requested',
  'approval.granted',
  'approval.rejected',
  'approval.expired',
  'workflow.succeeded',
  'workflow.failed',
  'deployment.started',
  'deployment.succeeded',
  'deployment.failed',
  'deployment.rolledback',
  'deployment.paused',
  'pipeline.enabled',
  'pipeline.disabled',
  'pipeline.deleted',
  'automation.changed',
  'freeze.started',
  'freeze.ended',
  'override.granted',
  'veto.placed',
  'hold.placed',
] as const;
export type NoticeName = (typeof noticeNames)[number];

/** Who is told of what, in a pipeline. */
export interface NotificationRule {
  readonly events: readonly NoticeName[];
  /** Name of a channel in the control plane's own settings: secrets are no part of a pipeline. */
  readonly channel: string;
}
