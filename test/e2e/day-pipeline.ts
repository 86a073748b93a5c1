// The pipeline and the source of the scripted day (day.test.ts): as the files that people write, and a repository whose server builds
// and publishes what is pushed to it.

import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Fleet } from '../support/fleet.ts';

const main = fileURLToPath(new URL('../../control/main.ts', import.meta.url));

/** `pipeline.yaml`; the window of production opens at `opens`, a local time in UTC. */
export function pipelineFile(opens: string): string {
  return `apiVersion: starling/v1
kind: Pipeline
metadata: {name: storefront, project: shop}
spec:
  apps: [{name: web}]
  windows:
    - {name: office-hours, kind: allow, timeZone: UTC, once: {from: "${opens}", to: "2199-01-01T00:00"}}
  workflows:
    - name: smoke
      lock: environment
      timeout: 5m
      steps:
        - name: smoke
          kind: test
          timeout: 1m
          run: |
            grep . "$HOME/$STARLING_ENVIRONMENT-1/web/current/index.html" || exit 1
            echo '{"passed": 1, "total": 1}' > report.json
  deploymentConfigs:
    - {name: at-once, batches: [{name: all, size: "100%"}], maxParallel: "100%", minHealthy: "0%"}
    - name: careful
      batches: [{name: one-box, canary: true, size: 1, bake: 0s}, {name: rest, size: "100%"}]
      maxParallel: 1
      minHealthy: "50%"
      failureThreshold: {count: 1, percent: 1}
  stages:
    - {name: alpha, environments: [{name: alpha, targets: "env=alpha", deployment: at-once, workflow: smoke}]}
    - {name: beta, environments: [{name: beta, targets: "env=beta", deployment: at-once, workflow: smoke}]}
    - name: prod
      environments:
        - {name: prod-na, targets: "env=prod-na", deployment: careful, windows: [office-hours]}
        - {name: prod-eu, targets: "env=prod-eu", deployment: at-once, windows: [office-hours]}
  promotions:
    - {from: {app: web}, to: alpha, auto: true, select: latest}
    - {from: {environment: alpha}, to: beta, auto: true, select: latest}
    - {from: {environment: beta}, to: prod-na, auto: true, select: latest, approval: {rules: [{group: qa, count: 1}]}}
    - {from: {environment: beta}, to: prod-eu, auto: true, select: latest, after: [prod-na], approval: {rules: [{group: qa, count: 1}]}}
`;
}

/** What a release is: files, and a check that is asked in each environment. */
export function release(page: string, check: string): Readonly<Record<string, string>> {
  return {
    'index.html': page,
    'check.sh': check,
    'deploy.yaml': 'apiVersion: starling/v1\nkind: DeploySpec\ninstall: { layout: releases }\nservice: { manager: none }\nhealth: []\nhooks: { healthCheck: [{ run: ["sh", "check.sh"], timeoutSeconds: 5 }] }\n',
  };
}

/** A bare repository that publishes what is pushed, and a clone of it. */
export class Repository {
  readonly #fleet: Fleet;
  readonly #clone: string;

  private constructor(fleet: Fleet, clone: string) {
    this.#fleet = fleet;
    this.#clone = clone;
  }

  static async create(fleet: Fleet): Promise<Repository> {
    const server = join(fleet.directory, 'web.git');
    const clone = join(fleet.directory, 'web-clone');
    const made = new Repository(fleet, clone);
    await made.#git(fleet.directory, 'init', '-q', '--bare', '-b', 'main', server);
    const hook = join(server, 'hooks/post-receive');
    await writeFile(hook, publishing(join(fleet.directory, 'builds')));
    await chmod(hook, 0o755);
    await made.#git(fleet.directory, 'clone', '-q', server, clone);
    return made;
  }

  /** Commits files by an author, and pushes them. */
  async push(author: string, message: string, files: Readonly<Record<string, string>>): Promise<void> {
    await mkdir(this.#clone, { recursive: true });
    for (const [name, text] of Object.entries(files)) await writeFile(join(this.#clone, name), text);
    await this.#git(this.#clone, 'add', '-A');
    await this.#git(this.#clone, '-c', `user.name=${author}`, '-c', `user.email=${author.toLowerCase()}@example.org`, 'commit', '-q', '-m', message);
    await this.#git(this.#clone, 'push', '-q', 'origin', 'HEAD:main');
  }

  async #git(directory: string, ...args: readonly string[]): Promise<void> {
    const { code, out, err } = await this.#fleet.run('git', args, { directory });
    if (code !== 0) throw new Error(`git ${args.join(' ')}: ${code}\n${out}\n${err}`);
  }
}

/** The hook: what was pushed is taken out, published, and described with the commit that it comes from. */
function publishing(builds: string): string {
  return `#!/bin/sh
set -e
read before after ref
build="${builds}/$after"
mkdir -p "$build"
git archive "$after" | tar -x -C "$build"
starling() { '${process.execPath}' '${main}' "$@"; }
number=$(starling push "$build" --app web --alias "$after" -o name | sed 's/.*@//')
git log -1 --format='{"changes":[{"commit":"%H","author":"%an <%ae>","message":"%s","checkedInAt":%ct000}]}' "$after" > "$build.json"
starling revision describe "web@$number" --file "$build.json" -q
`;
}
