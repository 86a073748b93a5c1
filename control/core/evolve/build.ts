// What the facts of builds add to the state. Which facts follow from which request is answers/build.ts.

import type { BuildEvent } from '../../../proto/events-build.ts';
import type { Draft } from './draft.ts';

/** Folds one fact of builds. */
export function foldBuild(draft: Draft, event: BuildEvent, at: number, actor: string): void {
  switch (event.kind) {
    case 'build.configured': {
      const { app, settings } = event;
      const known = draft.autoBuilds.get(app);
      // Of another branch nothing was asked for yet.
      const same = known?.settings.repo.url === settings.repo.url && known.settings.repo.branch === settings.repo.branch;
      draft.autoBuilds.set(app, { app, settings, begun: known?.begun ?? 0, ...(same && known?.newest !== undefined ? { newest: known.newest } : {}) });
      return;
    }
    case 'build.requested': {
      const { kind: _kind, head, ...request } = event;
      draft.builds.set(event.build, { ...request, phase: 'open', attempt: 0, createdAt: at, createdBy: actor });
      if (event.trigger === 'check-in' || head === true) noteNewest(draft, event.app, event.commit);
      return;
    }
    case 'build.extended': {
      const build = draft.builds.edit(event.build);
      if (build === undefined) return;
      build.commit = event.commit;
      build.changes = [...build.changes, ...event.changes];
      noteNewest(draft, event.app, event.commit);
      return;
    }
    case 'build.started': {
      const build = draft.builds.edit(event.build);
      const auto = draft.autoBuilds.edit(event.app);
      if (build === undefined) return;
      const { number, attempt, lease, worker } = event;
      Object.assign(build, { phase: 'running', number, attempt, lease, worker, startedAt: at });
      if (auto !== undefined) auto.begun = Math.max(auto.begun, number);
      return;
    }
    case 'build.errored': {
      const build = draft.builds.edit(event.build);
      if (build === undefined) return;
      delete build.lease;
      build.phase = 'pending';
      build.reason = event.reason;
      return;
    }
    case 'build.finished': {
      const build = draft.builds.edit(event.build);
      if (build === undefined) return;
      delete build.lease;
      delete build.reason;
      build.phase = event.end;
      build.finishedAt = at;
      if (event.revision !== undefined) build.revision = event.revision;
      if (event.reason !== undefined) build.reason = event.reason;
      return;
    }
    default:
      event satisfies never;
  }
}

function noteNewest(draft: Draft, app: string, commit: string): void {
  const auto = draft.autoBuilds.edit(app);
  if (auto !== undefined) auto.newest = commit;
}
