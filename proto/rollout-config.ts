// The finer points of how a deployment proceeds (control-plane.md 2.1, `deploymentConfigs`): batches with names and a bake of
// their own, when it goes back by itself, who may be missing. All of it may be left out. The rest is DeploymentConfig of events.ts.

/** A number of targets, or a share of all. */
export type Share = number | `${number}%`;

/** A batch with more to say than its size. */
export interface BatchSpec {
  readonly name?: string;
  readonly size: Share;
  /** One failed target of this batch stops the deployment, whatever the threshold says; a rollback may leave it out. */
  readonly canary?: boolean;
  /** After it; absent: the configuration's `bakeMs`, and none after the last batch. */
  readonly bakeMs?: number;
  /** When it has baked, the deployment waits until somebody resumes it. */
  readonly pause?: boolean;
  /** A workflow of the environment's pipeline that must be successful over what runs by then, before the batch counts as done. */
  readonly verify?: string;
  /** A health check of the configuration that is for the targets of this batch, and of others that name it. */
  readonly check?: string;
  /** So many must have been counted since it began to bake, beside the time. */
  readonly minSamples?: SamplesSpec;
}

/**
 * A health check that a target makes beside those of its release's deploy spec, before the release counts as up. One that no batch names is
 * made on every target. What goes back is judged by its deploy spec alone: an older release may not know of it.
 */
export interface HealthCheckSpec {
  readonly name: string;
  /** On the target itself, such as `/healthz`. */
  readonly path: string;
  /** Absent, or the application's own there: the port of the instance that is checked. */
  readonly port?: number;
  /** Absent: 200. */
  readonly status?: number;
  readonly intervalMs?: number;
  /** In a row. */
  readonly successes?: number;
  /** Until it counts as failed. */
  readonly timeoutMs?: number;
}

/** Samples that a bake must see: time without traffic says nothing. */
export interface SamplesSpec {
  /** URL of the server, such as `http://prom:9090`. */
  readonly prometheus: string;
  /** A counter, or a whole query. */
  readonly metric: string;
  readonly count: number;
  readonly intervalMs?: number;
}

/** A condition that is watched while a deployment runs and bakes: a query with its condition, or a URL that lists alerts. */
export interface AlarmSpec {
  readonly alarm: string;
  readonly prometheus?: string;
  readonly query?: string;
  /** When it fires, such as `result >= 0.05`. */
  readonly condition?: string;
  /** Answers with a list of alerts; it fires while one of them is active. */
  readonly webhook?: string;
  readonly intervalMs?: number;
  /** Absent: `rollback` where {@link AutoRollback} goes back on alarms, else `pause`. */
  readonly action?: 'rollback' | 'pause';
}

/** How a verification ends that was not a success. */
export type VerificationEnd = 'failed' | 'timed-out' | 'error' | 'aborted';

/** When a deployment goes back by itself. `true` in its place is `onHealth`, and `onVerification` for `failed`. */
export interface AutoRollback {
  /** Content was judged bad: a target failed its health check, a hook, its activation. */
  readonly onHealth: boolean;
  /** The machinery failed, and nobody can tell about the content: targets were lost, refused, or could not fetch. */
  readonly onError: boolean;
  /** An alarm fired after something was switched; absent: as `onHealth`. */
  readonly onAlarm?: boolean;
  /** The environment's workflow, or one that looked at a batch, ended like this. */
  readonly onVerification: readonly VerificationEnd[];
  /** Who goes back when targets failed: `failed` only those that did not come to run it, so that the others keep it; absent: all. An alarm, a workflow or a closed window judges all of them. */
  readonly scope?: 'failed';
}

/** Which targets go before which: those that do not serve, or those that serve another revision. */
export type TurnWord = 'unhealthy' | 'outdated';

/** What a rollback that somebody asks for leaves out. Absent is `true`, each. */
export interface RollbackConfig {
  readonly skipCanary?: boolean;
  readonly skipBake?: boolean;
  /** Closed windows and freezes do not hold it. */
  readonly ignoreWindows?: boolean;
}

/** Content that travels before the gates are open, so that what follows does not depend on its size. */
export interface PrefetchConfig {
  readonly enabled: boolean;
  /** Also while windows are closed; absent is `true`. */
  readonly ignoreWindows?: boolean;
}

/** What DeploymentConfig has beside its plain fields. */
export interface FineConfig {
  /** Label by whose values targets are spread over the batches; absent is `zone`. */
  readonly stripeBy?: string;
  /** Which targets go first; absent: those that do not serve. */
  readonly order?: readonly TurnWord[];
  /** A target counts as healthy when it has run the new release for this long; also the least bake of every batch. */
  readonly minHealthyTimeMs?: number;
  /** A target that is being switched and says nothing new for this long has failed. */
  readonly healthyDeadlineMs?: number;
  /** Targets that may be lost without counting as failed, and after how long they are; absent: none, after `lostAfterMs`. */
  readonly unreachable?: { readonly tolerate: Share; readonly afterMs?: number };
  readonly rollback?: RollbackConfig;
  readonly prefetch?: PrefetchConfig;
  readonly alarms?: readonly AlarmSpec[];
  readonly healthChecks?: readonly HealthCheckSpec[];
}
