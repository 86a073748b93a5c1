// Builds as facts: how changes are grouped, who has a build, and what is left of one that failed.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BuildCommand } from '../../../../control/core/commands/command-build.ts';
import { buildAttemptsMax, buildChangesMax, buildOffers, buildsOf } from '../../../../control/core/answers/build.ts';
import { settingsProblems } from '../../../../control/core/pipeline/build-settings.ts';
import { handle } from '../../../../control/core/answers/handle.ts';
import { evolve, evolveAll, initialState } from '../../../../control/core/evolve/evolve.ts';
import type { State } from '../../../../control/core/model/model.ts';
import type { BuildSettings } from '../../../../proto/events-build.ts';
import type { Event, JournalEntry } from '../../../../proto/events.ts';

const settings: BuildSettings = { repo: { url: 'https://git.example.org/shop/web.git', branch: 'main', paths: [] }, enabled: true, intervalMs: 60_000, coalesce: true, command: 'make', output: 'dist', timeoutMs: 60_000, role: 'builder' };

/** A journal with one application that is built. */
class Builds {
  state: State = initialState();
  readonly journal: JournalEntry[] = [];

  constructor(more: Partial<BuildSettings> = {}) {
    this.apply({ kind: 'app.created', app: 'web', project: 'shop' });
    this.done({ kind: 'configure-build', app: 'web', settings: { ...settings, ...more } });
  }

  apply(...events: readonly Event[]): void {
    for (const event of events) {
      const entry = { seq: this.state.head + 1, at: this.state.head * 1_000, actor: 'system', event };
      this.journal.push(entry);
      this.state = evolve(this.state, entry);
    }
  }

  ask(command: BuildCommand) {
    const answer = handle(this.state, command, 0);
    if (answer.kind === 'accepted') this.apply(...answer.events);
    return answer;
  }

  done(command: BuildCommand): void {
    expect(this.ask(command)).toMatchObject({ kind: 'accepted' });
  }

  notice(build: string, ...numbers: readonly number[]): void {
    const since = this.state.autoBuilds.get('web')?.newest;
    this.done({ kind: 'notice-changes', app: 'web', build, commit: commit(numbers.at(-1) ?? 0), changes: numbers.map(change), ...(since === undefined ? {} : { since }) });
  }

  begin(build: string, lease = `lease-${build}`): void {
    this.done({ kind: 'begin-build', build, lease, worker: 'w1' });
  }

  end(build: string, end: 'succeeded' | 'failed' | 'errored', more: { readonly attempt?: number; readonly revision?: string } = {}): void {
    this.done({ kind: 'end-build', build, attempt: 1, lease: `lease-${build}`, end, ...more });
  }

  push(revision: string): void {
    const { length } = this.state.apps.get('web')?.revisions ?? [];
    this.apply({ kind: 'revision.created', app: 'web', number: length + 1, revision, cid: 'c', manifest: '', manifestBytes: 0, entries: 0, bytes: 0, chunks: 0, uploadedBytes: 0, proxy: 'p' });
  }

  commits(build: string): readonly number[] {
    return (this.state.builds.get(build)?.changes ?? []).map((one) => Number.parseInt(one.commit, 16));
  }
}

function commit(number: number): string {
  return number.toString(16).padStart(40, '0');
}

function change(number: number) {
  return { commit: commit(number), author: `author-${number} <a${number}@example.org>`, message: `change ${number}`, checkedInAt: number };
}

const digest = 'd'.repeat(64);

describe('CDS-4 changes become builds', () => {
  test('CDS-4 B-3 what arrives before a build begins is in it, what arrives after is in the next', () => {
    const builds = new Builds();
    builds.notice('b1', 1);
    builds.notice('b2', 2, 3);
    expect([...builds.state.builds.keys()]).toEqual(['b1']);
    builds.begin('b1');
    builds.notice('b3', 4);
    expect(builds.commits('b1')).toEqual([1, 2, 3]);
    expect(builds.state.builds.get('b1')?.commit).toBe(commit(3));
    expect(builds.commits('b3')).toEqual([4]);
    expect(builds.ask({ kind: 'begin-build', build: 'b3', lease: 'other', worker: 'w2' })).toMatchObject({ kind: 'refused', code: 'blocked' });
  });

  test('CDS-4 a failed build waits for the next change, and its changes are built with that one', () => {
    const builds = new Builds();
    builds.notice('b1', 1, 2);
    builds.begin('b1');
    builds.end('b1', 'failed');
    expect(buildOffers(builds.state)).toEqual([]);
    builds.notice('b2', 3);
    expect(builds.commits('b2')).toEqual([1, 2, 3]);
    builds.begin('b2');
    builds.push(digest);
    builds.end('b2', 'succeeded', { revision: digest });
    builds.notice('b3', 4);
    expect(builds.commits('b3')).toEqual([4]);
  });

  test('CDS-4 without coalescing each change is a build of its own, in order', () => {
    const builds = new Builds({ coalesce: false });
    builds.notice('b', 1, 2, 3);
    expect(buildsOf(builds.state, 'web').map((one) => [one.commit, one.changes.length])).toEqual([[commit(1), 1], [commit(2), 1], [commit(3), 1]]);
    expect(buildOffers(builds.state).map(({ build }) => build.commit)).toEqual([commit(1)]);
  });

  test('CDS-4 switched off nothing is noticed, and a person may still ask', () => {
    const builds = new Builds({ enabled: false });
    expect(builds.ask({ kind: 'notice-changes', app: 'web', build: 'b1', commit: commit(1), changes: [change(1)] })).toMatchObject({ kind: 'refused', code: 'blocked' });
    builds.done({ kind: 'request-build', app: 'web', build: 'b2', commit: commit(1), changes: [] });
    expect(buildOffers(builds.state)).toHaveLength(1);
  });

  test('the revision is told the changes that it was built of', () => {
    const builds = new Builds();
    builds.notice('b1', 1, 2);
    builds.begin('b1');
    expect(builds.ask({ kind: 'end-build', build: 'b1', attempt: 1, lease: 'lease-b1', end: 'succeeded', revision: digest })).toMatchObject({ kind: 'refused', code: 'invalid' });
    builds.push(digest);
    builds.end('b1', 'succeeded', { revision: digest });
    expect(builds.state.descriptions.get(`web@${digest}`)?.changes).toEqual([change(1), change(2)]);
    expect(builds.state.builds.get('b1')).toMatchObject({ phase: 'succeeded', number: 1, revision: digest });
  });

  test('no more changes are kept than people read', () => {
    const builds = new Builds();
    const numbers = Array.from({ length: buildChangesMax + 50 }, (_, index) => index + 1);
    builds.notice('b1', ...numbers);
    expect(builds.commits('b1')).toEqual(numbers.slice(-buildChangesMax));
  });
});

describe('B-1 B-2 L-4 one worker at a time', () => {
  test('L-4 an attempt that was given up is fenced, and the machinery is tried again only so often', () => {
    const builds = new Builds();
    builds.notice('b1', 1);
    for (let attempt = 1; attempt <= buildAttemptsMax; attempt += 1) {
      builds.begin('b1', `lease-${attempt}`);
      builds.done({ kind: 'end-build', build: 'b1', attempt, lease: `lease-${attempt}`, end: 'errored' });
      expect(builds.ask({ kind: 'end-build', build: 'b1', attempt, lease: `lease-${attempt}`, end: 'succeeded', revision: digest })).toMatchObject({ kind: 'refused' });
    }
    expect(builds.state.builds.get('b1')).toMatchObject({ phase: 'failed', attempt: buildAttemptsMax });
  });

  test('L-4 while another attempt is under way, only words under its own lease and number count', () => {
    const builds = new Builds();
    builds.notice('b1', 1);
    builds.begin('b1', 'lease-1');
    builds.done({ kind: 'end-build', build: 'b1', attempt: 1, lease: 'lease-1', end: 'errored' });
    builds.begin('b1', 'lease-2');
    for (const late of [{ attempt: 1, lease: 'lease-1' }, { attempt: 2, lease: 'lease-1' }, { attempt: 1, lease: 'lease-2' }]) {
      expect(builds.ask({ kind: 'end-build', build: 'b1', ...late, end: 'failed' })).toMatchObject({ kind: 'refused', code: 'conflict' });
    }
    expect(builds.ask({ kind: 'retry-build', build: 'b2', of: 'b1' })).toMatchObject({ kind: 'refused', code: 'conflict' });
    expect(builds.state.builds.get('b1')).toMatchObject({ phase: 'running', attempt: 2 });
  });

  test('B-2 the same commit noticed twice is one build, also when the first is over', () => {
    const builds = new Builds();
    builds.notice('b1', 1);
    builds.notice('b2', 1);
    builds.begin('b1');
    builds.end('b1', 'failed');
    builds.notice('b3', 1);
    expect([...builds.state.builds.keys()]).toEqual(['b1']);
    expect(builds.commits('b1')).toEqual([1]);
  });

  test('a build that was cancelled takes no more words, and may be tried again', () => {
    const builds = new Builds();
    builds.notice('b1', 1);
    builds.begin('b1');
    builds.done({ kind: 'cancel-build', build: 'b1', reason: 'wrong branch' });
    expect(builds.ask({ kind: 'end-build', build: 'b1', attempt: 1, lease: 'lease-b1', end: 'failed' })).toMatchObject({ kind: 'refused' });
    builds.done({ kind: 'retry-build', build: 'b2', of: 'b1' });
    expect(builds.state.builds.get('b2')).toMatchObject({ phase: 'open', trigger: 'retry', retryOf: 'b1', commit: commit(1) });
  });

  test('B-1 B-2 B-4 whatever is said in whatever order, each change is built at least once, each build succeeds at most once, and the journal gives the same state', () => {
    const step = fc.record({ what: fc.constantFrom('notice', 'begin', 'succeed', 'fail', 'error', 'cancel', 'again'), which: fc.nat(5) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const builds = new Builds();
        builds.push(digest);
        let number = 0;
        const said: BuildCommand[] = [];
        const say = (command: BuildCommand): void => {
          said.push(command);
          builds.ask(command);
        };
        for (const { what, which } of steps) {
          const all = [...builds.state.builds.values()];
          const build = all.at(-1 - (which % Math.max(1, all.length)));
          const since = builds.state.autoBuilds.get('web')?.newest;
          if (what === 'notice') say({ kind: 'notice-changes', app: 'web', build: `b${(number += 1)}`, commit: commit(number), changes: [change(number)], ...(since === undefined ? {} : { since }) });
          else if (what === 'again' && said.length > 0) builds.ask(said[which % said.length] ?? said[0] ?? { kind: 'cancel-build', build: 'none', reason: 'x' });
          else if (build !== undefined && what === 'begin') say({ kind: 'begin-build', build: build.build, lease: `l${said.length}`, worker: 'w' });
          else if (build !== undefined && what === 'cancel') say({ kind: 'cancel-build', build: build.build, reason: 'x' });
          else if (build !== undefined && what !== 'again') say({ kind: 'end-build', build: build.build, attempt: build.attempt, lease: build.lease ?? 'l0', end: what === 'succeed' ? 'succeeded' : what === 'fail' ? 'failed' : 'errored', revision: digest });
        }
        const ends = new Map<string, number>();
        for (const { event } of builds.journal) if (event.kind === 'build.finished') ends.set(event.build, (ends.get(event.build) ?? 0) + 1);
        expect([...ends.values()].every((count) => count === 1)).toBe(true);
        expect([...builds.state.builds.values()].filter((one) => one.phase === 'running').length).toBeLessThanOrEqual(1);
        const carried = new Set([...builds.state.builds.values()].flatMap((one) => one.changes.map(({ commit: id }) => Number.parseInt(id, 16))));
        expect([...carried].toSorted((a, b) => a - b)).toEqual(Array.from({ length: number }, (_, index) => index + 1));
        expect(evolveAll(initialState(), builds.journal).builds).toEqual(builds.state.builds);
      }),
      { numRuns: 300 },
    );
  });
});

describe('settings', () => {
  const bad: readonly (readonly [string, Partial<BuildSettings>])[] = [
    ['a transport that runs commands', { repo: { ...settings.repo, url: 'ext::sh -c touch% /tmp/x' } }],
    ['an option', { repo: { ...settings.repo, url: '--upload-pack=touch /tmp/x' } }],
    ['a host that is an option of ssh', { repo: { ...settings.repo, url: 'ssh://-oProxyCommand=x/y' } }],
    ['a user before such a host', { repo: { ...settings.repo, url: 'ssh://git@-oProxyCommand=x/y' } }],
    ['a password, which would be on record', { repo: { ...settings.repo, url: 'ssh://git:hunter2@git.example.org/a' } }],
    ['a token as a user', { repo: { ...settings.repo, url: 'https://ghp_x@github.com/a/b.git' } }],
    ['a branch that is an option', { repo: { ...settings.repo, branch: '-f' } }],
    ['a branch that climbs', { repo: { ...settings.repo, branch: 'a/../b' } }],
    ['a path that is magic', { repo: { ...settings.repo, paths: [':(attr:x)'] } }],
    ['a directory outside', { output: '../other' }],
    ['an absolute directory', { output: '/etc' }],
    ['no command', { command: ' ' }],
    ['looks without rest', { intervalMs: 10 }],
  ];
  test.each(bad)('%s is refused', (_what, more) => expect(settingsProblems({ ...settings, ...more })).toHaveLength(1));

  test.each(['https://git.example.org/a/b.git', 'ssh://git@git.example.org:2222/a', 'git@github.com:a/b.git', 'file:///srv/git/web.git'])('%s is a repository', (url) => {
    expect(settingsProblems({ ...settings, repo: { ...settings.repo, url } })).toEqual([]);
  });
});
