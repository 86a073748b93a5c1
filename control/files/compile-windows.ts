// Windows of a file as windows of the model. Zones, times and schedules are judged by control/core/windows, as the control
// plane judges them; here they get their places.

import type { Schedule, TimeWindow, WindowOverride } from '../../proto/window.ts';
import { windowProblems } from '../core/windows/problems.ts';
import type { Findings } from './findings.ts';
import type { WindowText } from './schema.ts';
import type { Path } from './source.ts';
import { daysOf, durationMs, durationText } from './units.ts';

/** One window; undefined when its schedule cannot be told. */
export function windowOf(written: WindowText, path: Path, findings: Findings): TimeWindow | undefined {
  const schedule = scheduleOf(written, path, findings);
  const override = overrideOf(written, path, findings);
  if (schedule === undefined) return undefined;
  const jitterMs = durationMs(written.jitter ?? '');
  const window: TimeWindow = {
    window: written.name,
    kind: written.kind,
    timeZone: written.timeZone,
    schedule,
    onClose: written.onClose ?? 'pause',
    ...(jitterMs === undefined ? {} : { jitterMs }),
    ...(written.maxDeploysPerOccurrence === undefined ? {} : { maxDeploysPerOccurrence: written.maxDeploysPerOccurrence }),
    ...(override === undefined ? {} : { override }),
  };
  for (const problem of windowProblems(window)) {
    const said = problem.replace(`window '${window.window}': `, '').replace(/(\d+) ms\b/g, (_all, ms) => durationText(Number(ms)));
    const [, field = '', index] = /^(\w+)(?:\[(\d+)\])?/.exec(said) ?? [];
    findings.problem(Object.hasOwn(written, field) ? [...path, field, ...(index === undefined ? [] : [Number(index)])] : path, said);
  }
  return window;
}

function scheduleOf({ weekly, cron, duration, once }: WindowText, path: Path, findings: Findings): Schedule | undefined {
  const given = Object.entries({ weekly, cron, once }).flatMap(([key, value]) => (value === undefined ? [] : [key]));
  if (given.length !== 1) {
    findings.problem(path, given.length === 0 ? "a window needs a schedule: one of 'weekly', 'cron' and 'once'" : `a window has one schedule; here are ${given.join(' and ')}: make several windows`);
    return undefined;
  }
  if (duration !== undefined && cron === undefined) findings.atKey([...path, 'duration'], "'duration' is for windows with 'cron'; the others say when they end");
  if (once !== undefined) return { kind: 'once', from: localText(once.from), to: localText(once.to) };
  if (cron !== undefined) {
    const ms = durationMs(duration ?? '');
    if (ms !== undefined) return { kind: 'cron', expression: cron, durationMs: ms };
    findings.problem([...path, 'cron'], "a window with 'cron' needs 'duration', such as 2h: how long it lasts");
    return undefined;
  }
  let sound = true;
  const rows = (weekly ?? []).map(({ days: written, from, to }, index) => {
    const { days, wrong } = daysOf(written);
    sound &&= wrong.length === 0;
    for (const word of wrong) findings.problem([...path, 'weekly', index, 'days'], `'${word}' is not a day or a range of days; expected mon, tue, wed, thu, fri, sat, sun, or such as mon-thu`);
    if ((from === undefined) !== (to === undefined)) findings.problem([...path, 'weekly', index], "'from' and 'to' go together; leave both out for whole days");
    return from === undefined || to === undefined ? { days } : { days, times: { from, to } };
  });
  return sound ? { kind: 'weekly', rows } : undefined;
}

/** Seconds that are none are left out, so that one instant has one text. */
function localText(text: string): string {
  return text.replace(/^(.{16}):00$/, '$1');
}

function overrideOf({ override }: WindowText, path: Path, findings: Findings): WindowOverride | undefined {
  if (override === undefined) return undefined;
  const { allowed, approvals, requireReason } = override;
  if (requireReason === false) findings.problem([...path, 'override', 'requireReason'], 'a window is never lifted without a reason; leave this out');
  if (allowed === false) return undefined;
  if (approvals === undefined) findings.problem([...path, 'override'], "'approvals' is missing: who may lift it, such as {group: release-managers, count: 2}");
  return approvals;
}
