// The one table of exit codes: every code of a failure and of a problem has one, and `--help` documents each.

import { describe, expect, test } from 'vitest';
import { problemStatuses } from '../../../proto/api/schema.ts';
import { ProtocolError } from '../../../proto/errors.ts';
import { exitCodeOf, exitMeanings, problemError } from '../../../control/cli/exit.ts';
import { ControlError, type ControlErrorCode } from '../../../control/errors.ts';
import { DaemonError } from '../../../daemon/errors.ts';
import { run } from './world.ts';

describe('exit codes', () => {
  test.each<[ControlErrorCode, number]>([
    ['FAILED', 1],
    ['CONFIG_INVALID', 2],
    ['NOT_FOUND', 3],
    ['UNAUTHENTICATED', 4],
    ['FORBIDDEN', 4],
    ['CONFLICT', 5],
    ['PRECONDITION', 5],
    ['BLOCKED', 6],
    ['TIMED_OUT', 7],
    ['ROLLED_BACK', 8],
    ['UNREACHABLE', 69],
    ['ABORTED', 130],
  ])('%s ends with %i', (code, exit) => {
    expect(exitCodeOf(new ControlError(code, 'why'))).toBe(exit);
  });

  test.each([
    ['INVALID_REQUEST', 2], ['NOT_FOUND', 3], ['UNAUTHENTICATED', 4], ['FORBIDDEN', 4], ['CONFLICT', 5], ['PRECONDITION', 5], ['BLOCKED', 6],
    ['KEY_REUSED', 5], ['IN_PROGRESS', 5], ['INTERNAL', 1], ['UNAVAILABLE', 69], ['a code of a newer server', 1],
  ] as const)('the problem %s ends with %i', (code, exit) => {
    expect(exitCodeOf(problemError({ code, detail: 'why' }))).toBe(exit);
  });

  test.each([
    ["there is no revision 'web@77'", "there is no revision 'web@77'; `starling revision list APP` shows what there is"],
    ["there is no pipeline 'dou'", "there is no pipeline 'dou'; `starling pipeline list` shows what there is"],
    ["there is no request for approval 'x'", "there is no request for approval 'x'; `starling approval list` shows what there is"],
    ["there is no environment 'x'; there are a, b", "there is no environment 'x'; there are a, b"],
    ['there is nothing at /v9', 'there is nothing at /v9'],
  ])('%s: what there is instead is a command away', (detail, expected) => {
    expect(problemError({ code: 'NOT_FOUND', detail }).message).toBe(expected);
  });

  test('every problem code has one that is documented', () => {
    for (const code of Object.keys(problemStatuses)) expect(Object.keys(exitMeanings)).toContain(`${exitCodeOf(problemError({ code, detail: '' }))}`);
  });

  test('what a decoder or the ingest refuses is no crash', () => {
    expect(exitCodeOf(new ProtocolError('MALFORMED', 'deploy.yaml:1:1: no'))).toBe(2);
    expect(exitCodeOf(new DaemonError('UNREADABLE_FILE', 'no'))).toBe(1);
    expect(exitCodeOf(new DaemonError('ABORTED', 'stopped'))).toBe(130);
  });

  test('are all in --help', async () => {
    const { out, code } = await run(['--help']);
    expect(code).toBe(0);
    for (const [exit, meaning] of Object.entries(exitMeanings)) expect(out).toMatch(new RegExp(`^ *${exit}  ${meaning}$`, 'm'));
  });

  test('a problem names the gates that hold it', () => {
    expect(problemError({ code: 'BLOCKED', detail: 'held', blockers: [{ type: 'lock', reason: 'frozen', since: 0 }] }).message).toBe('held\n  lock: frozen');
  });
});
