// Every bound of the installer, each with its unit and its reason.

/** Sizes in bytes, times in milliseconds. */
export const installLimits = {
  /** Reports of one deployment that wait for the control plane; beyond it the oldest goes, since later phases imply it. */
  reportsHeldMax: 256,
  /** Deployments whose last report number is remembered, so that a late order does not start again at 1. */
  deploymentsRemembered: 64,
  /** The journal is rewritten without what is over when it is longer than this. */
  journalBytesMax: 1024 * 1024,
  /** Output of one hook that is kept in the log on this machine (trust.md, section 10). */
  hookOutputBytesMax: 1024 * 1024,
  /** Hooks' and instances' logs: at this size the log becomes `.1` and the older `.1` goes. */
  logBytesMax: 8 * 1024 * 1024,
  /** Default of a hook's `timeoutSeconds`. */
  hookTimeoutMs: 300_000,
  /** How long the outputs of a program that has ended may stay open, because something that it started cannot be found. */
  outputCloseMs: 1_000,
  /** Between two tries of a hook that asks to be tried again. */
  hookAgainMs: 1_000,
  /** The first pause before a service that does not answer at all is asked again; doubled each time up to the check's interval. */
  healthSoonMs: 50,
  /** Body of a health check's answer that is read before the connection is closed. */
  healthBodyBytesMax: 64 * 1024,
  /** One request of a health check; a hanging answer counts as a failed one. */
  healthRequestMs: 5_000,
  /** Crashes of an instance during its health checks after which it is given up before its time is over. */
  healthCrashesMax: 3,
  /** Health checks of the old release after a rollback when its spec names none that can fail. */
  rollbackHealthMs: 60_000,
  /** How often the supervisor looks after its processes. */
  supervisorTickMs: 250,
  /** Waits before a crashed instance is started again: doubled from the first to the last, reset after a quiet minute. */
  restartDelayMsMin: 250,
  restartDelayMsMax: 30_000,
  restartQuietMs: 60_000,
  /** How long the front may take until it listens. */
  frontStartMs: 10_000,
  /** How long connections to the old instance may go on after the switch before it is asked to stop. */
  drainMs: 5_000,
  /** Before the first look at those connections: one that the front is just making is not counted yet. */
  drainFirstMs: 100,
  /** Default of a service's `stopTimeoutSeconds`. */
  stopTimeoutMs: 10_000,
  /** Between two looks at something that has no event. */
  pollMs: 25,
  /** One call of systemctl; starting a unit has its own limit in the unit (TimeoutStartSec, 90 s by default). */
  systemctlMs: 120_000,
  /** Commands that only ask. */
  systemctlShowMs: 10_000,
} as const;
