// Time windows as people write them: when deployments may start, or may not. Zones are named, never offsets, so that
// a window stays at the same wall-clock time when a government moves the clock. What is open when is control/core/windows.

/** A day of the week. */
export type Weekday = 'mon' | 'tue' | 'wed' | 'thu' | 'fri' | 'sat' | 'sun';

/** One line of a weekly schedule. */
export interface WeeklyRow {
  /** Days on which it begins: what ends after midnight belongs to the day on which it began. */
  readonly days: readonly Weekday[];
  /** `HH:MM` to `HH:MM`, the end not included; an end that is not later than the start is on the next day. Absent: whole days. */
  readonly times?: { readonly from: string; readonly to: string };
}

/** When a window's occurrences begin and end, in the local time of its zone. */
export type Schedule =
  | { readonly kind: 'weekly'; readonly rows: readonly WeeklyRow[] }
  /** Five fields: minute, hour, day of month, month, day of week. */
  | { readonly kind: 'cron'; readonly expression: string; readonly durationMs: number }
  /** Local date and time without offset, such as `2026-12-18T00:00`; the end is not included. */
  | { readonly kind: 'once'; readonly from: string; readonly to: string };

/** What happens to work in progress when the window closes (control-plane.md 1.8). */
export type OnClose = 'finish' | 'pause' | 'rollback';

/** Who may lift a window for one promotion. */
export interface WindowOverride {
  readonly group: string;
  readonly count: number;
}

/** One window. With none, everything is open; with allow windows, one must be active; an active deny window always wins. */
export interface TimeWindow {
  readonly window: string;
  readonly kind: 'allow' | 'deny';
  /** IANA name, such as `America/New_York`. */
  readonly timeZone: string;
  readonly schedule: Schedule;
  readonly onClose: OnClose;
  /** Each environment starts up to this much after the opening, so that not all start at once. Of allow windows. */
  readonly jitterMs?: number;
  /** Promotions that may start in one environment in one occurrence. Of allow windows. */
  readonly maxDeploysPerOccurrence?: number;
  /** Absent: nobody may. */
  readonly override?: WindowOverride;
}
