// `systemctl`, asked and told. What for is systemd.ts.

import { DaemonError } from '../../errors.ts';
import type { Layout } from '../layout.ts';
import { installLimits } from '../limits.ts';
import type { Ended, Processes } from '../machine/processes.ts';

export interface SystemctlTools {
  readonly at: Layout;
  readonly processes: Processes;
  readonly tag: string;
  readonly searchPath: string;
  /** First words of every command: `['systemctl']`, or with `--user`. */
  readonly systemctl: readonly string[];
}

export interface Waiting {
  readonly signal: AbortSignal;
}

/** What systemd says of one unit. */
export type Shown = Readonly<Record<string, string>>;

export interface Systemctl {
  /** @throws {DaemonError} ACTIVATION_FAILED with what it said. */
  readonly must: (args: readonly string[], options: Waiting) => Promise<void>;
  /**
   * Units in the order of their names.
   * @throws {DaemonError} ACTIVATION_FAILED when it does not answer.
   */
  readonly show: (names: readonly string[], options: Waiting) => Promise<readonly Shown[]>;
}

/** What systemd says to a user who may not, without polkit and with it. */
const refusal = /Access denied|authentication required|Permission denied/i;

export function systemctl(tools: SystemctlTools): Systemctl {
  // Health and status ask while a unit is being started: with one tag the first to end would end the others.
  let calls = 0;
  const run = async (args: readonly string[], timeoutMs: number, { signal }: Waiting): Promise<Ended> =>
    await tools.processes.run(
      {
        argv: [...tools.systemctl, ...args],
        directory: tools.at.root,
        environment: { PATH: tools.searchPath, LANG: 'C.UTF-8', SYSTEMD_PAGER: '', SYSTEMD_COLORS: '0' },
        tag: `${tools.tag}:systemctl:${(calls += 1)}`,
      },
      { timeoutMs, signal },
    );
  return {
    must: async (args, options) => {
      const ended = await run(args, installLimits.systemctlMs, options);
      if (ended.exitCode === 0) return;
      const said = ended.output.trim().replaceAll(/\s*\n\s*/g, '; ').slice(-1000);
      // First, where a line that is cut short still has it.
      const hint = refusal.test(said) ? 'systemd lets a daemon that is not root manage units by a rule of polkit, see starlingd.rules in its package: ' : '';
      throw new DaemonError('ACTIVATION_FAILED', `${hint}systemctl ${args.join(' ')}: ${ended.how}: ${said}`);
    },
    show: async (names, options) => {
      const properties = '--property=Id,ActiveState,SubState,MainPID,NRestarts,Result';
      const ended = await run(['show', properties, '--', ...names], installLimits.systemctlShowMs, options);
      if (ended.exitCode !== 0) throw new DaemonError('ACTIVATION_FAILED', `systemctl show ${names.join(' ')}: ${ended.how}`);
      return parseShow(ended.output);
    },
  };
}

/** Parses `systemctl show`: one `Key=value` a line, units separated by an empty line. */
export function parseShow(text: string): readonly Shown[] {
  return text
    .split(/\n\s*\n/)
    .map((block) => block.trim())
    .filter((block) => block !== '')
    .map((block) => Object.fromEntries(block.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)])));
}
