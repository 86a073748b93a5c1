// What is said of files that are wrong: every class of mistake, its place, and what would be right. And files that are not wrong.

import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { problemText } from '../../../control/files/problem.ts';
import { clauseOf, lackingOf } from '../../../control/core/compliance/frameworks.ts';
import { readFileText } from '../../../control/files/read.ts';
import { fileSchemas } from '../../../control/files/schemas.ts';

const read = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');
const [shop, storefront] = [read('shop.yaml'), read('storefront.yaml')];
const problemsOf = (text: string): readonly string[] => readFileText('f', text).problems.map((problem) => problemText(problem).replace(/^f:/, ''));
const warningsOf = (text: string): readonly string[] => readFileText('f', text).warnings.map((warning) => problemText(warning).replace(/^f:/, ''));

/** A file with one thing put in place of another. */
function edited(from: string, to: string, base = shop): string {
  expect(base).toContain(from);
  return base.replace(from, to);
}

describe('a file that is not what it should be is told so with line and column', () => {
  test.each([
    ['nothing', '', '1:1: there is nothing in this file; expected a mapping that begins with apiVersion: starling/v1'],
    ['not YAML', 'a: [1', '1:6: not YAML: flow sequence in block collection must be sufficiently indented and end with a ]'],
    ['a tab', 'a:\n\tb: 1', '2:1: a tab cannot indent YAML; use spaces'],
    ['a key twice', 'a: 1\na: 2', '2:1: this key is here twice; keep one of them'],
    ['a key that is no text', '? [a]\n: b', '1:3: a key must be text; put it in quotes'],
    ['a list', '- a', '1:1: found a list; expected a mapping with apiVersion, kind, metadata and spec'],
    ['too long', '#'.repeat(1024 * 1024 + 1), '1:1: the file has 1048577 bytes; at most 1048576 are read'],
    ['too deep', '['.repeat(20_000), '1:1: the file is nested too deeply to be read'],
    ['an anchor that is used without end', `a: &a [1]\nb: [${'*a,'.repeat(200)}]`, '1:1: the anchors of this document are used too often, or stand for too much: at most 100 values are taken from them'],
    ['an anchor that is not there', edited('"env=beta"', '*t'), '13:62: there is no anchor &t before this'],
    ['an older YAML', `%YAML 1.1\n---\n${shop}`, "1:1: leave out '%YAML 1.1': files are read as YAML 1.2, in which on and no are words"],
    ['too many documents', '---\na: 1\n'.repeat(51), '1:1: the file has 51 documents; at most 50 are read: use several files'],
  ])('%s', (_name, text, problem) => {
    expect(problemsOf(text)).toEqual([problem]);
  });

  test('aliases that grow into billions are refused before they do', () => {
    const letters = 'abcdefghij'.split('');
    const bomb = letters.map((letter, index) => `${letter}: &${letter} [${Array.from({ length: 9 }, () => (index === 0 ? 'x' : `*${letters[index - 1]}`)).join(',')}]`).join('\n');
    expect(problemsOf(bomb)).toEqual([expect.stringContaining('stand for too much')]);
  });
});

describe('its form', () => {
  test.each([
    ['kind: Pipeline', 'kind: Pipline', "2:7: 'Pipline' is not a kind of file that is read here; did you mean 'Pipeline'?"],
    ['kind: Pipeline\n', '', "1:1: 'kind' is missing; expected 'Pipeline'"],
    ['starling/v1', 'starling/v2', "1:13: found 'starling/v2'; expected 'starling/v1'"],
    ['{name: shop}', '{name: Shop}', "3:18: found 'Shop'; expected a name: lower-case letters, digits and inner hyphens, at most 64"],
    ['{name: shop}', '{name: 12}', '3:18: found the number 12; expected a name: lower-case letters, digits and inner hyphens, at most 64; text in quotes is not read as a number'],
    ['soak: 5m', 'soak: 5 minutes', "18:74: found '5 minutes'; expected a duration such as 30s, 10m, 2h or 7d"],
    ['soak: 5m', 'soak: 5', '18:74: found the number 5; expected a duration such as 30s, 10m, 2h or 7d'],
    ['size: 1,', 'size: 10 %,', `10:39: found '10 %'; expected a number of targets such as 3, or a share in quotes such as "25%"`],
    ['kind: approval', 'kind: aproval', "7:58: found 'aproval'; expected one of test, analysis, bake, approval, compliance, command, notify; did you mean 'approval'?"],
    ['shop-web}, to: shop-alpha, auto: true', 'shop-web}, to: shop-alpha, auto: yes', "16:53: found 'yes'; expected true or false"],
    ['soak: 5m', 'select: matchDestnation', expect.stringMatching(/^18:76: found 'matchDestnation'; expected one of latest, .* several; did you mean 'matchDestination'\?$/)],
    ['deployment.failed', 'deployment.fail', expect.stringMatching(/^21:17: found 'deployment.fail'; .*; did you mean 'deployment.failed'\?$/)],
  ])('%s -> %s', (from, to, problem) => {
    expect(problemsOf(edited(from, to))).toEqual([problem]);
  });

  test('keys that are not known are named with what was meant, which is not missing as well then', () => {
    expect(problemsOf(edited('  stages:', '  stagez:'))).toEqual(["11:3: 'stagez' is not a known key here; did you mean 'stages'?"]);
  });

  test('of one alternative among several is told by what that one wants', () => {
    expect(problemsOf(edited('onVerification: [failed]', 'onVerification: [fail]', storefront))).toEqual(["87:70: found 'fail'; expected one of failed, timed-out, error, aborted"]);
    expect(problemsOf(edited('version: ">=2026.08"', 'version: 2026.08', storefront))).toEqual(['24:36: found the number 2026.08; expected a range of versions in quotes, such as ">=22.3 <23"; text in quotes is not read as a number']);
  });

  test('every mistake of every document is told at once, in the order of the file', () => {
    const text = edited('soak: 5m', 'soak: 5z').replace('size: 1,', 'size: -1,').replace('env=beta"', 'env=beta", lables: x');
    expect(problemsOf(`${text}---\n${text}`).map((problem) => /^[0-9]+:[0-9]+/.exec(problem)?.[0])).toEqual(['10:39', '13:74', '18:74', '32:39', '35:74', '40:74']);
  });
});

describe('what it means', () => {
  test.each([
    ['workflow: beta', 'workflow: betta', "13:84: there is no workflow 'betta' in this file; did you mean 'beta'?"],
    ['deployment: careful', 'deployment: carefull', "14:86: there is no deployment configuration 'carefull' in this file; did you mean 'careful'?"],
    ['soak: 5m', 'windows: [night]', "18:78: there is no window 'night' in this file"],
    ['{name: shop-api}]', '{name: shop-api, autoBuild: {command: make}}]', expect.stringMatching(/^5:56: 'repo' is missing beside it: what is built, such as \{url: /)],
    ['{name: shop-api}]', '{name: shop-api, repo: {url: nowhere}, autoBuild: {command: make}}]', expect.stringMatching(/^5:57: 'nowhere' is not a repository: https:/)],
    ['{name: shop-api}]', '{name: shop-api, repo: {url: "https://git/x"}, autoBuild: {command: make, interval: 1s}}]', '5:112: an interval of 1s; expected from 5s to 1d'],
    ['to: shop-beta', 'to: shop-bet', "18:45: there is no environment 'shop-bet' in this file; did you mean 'shop-beta'?"],
    ['"env=prod"', '"env"', `14:62: 'env' is not a label of the form key=value that is there once; several are separated by commas, such as "env=prod,region=na"`],
    ['{name: shop-api}]', '{name: shop-api}, {name: shop-db}]', "5:53: application 'shop-db' goes nowhere; add a promotion such as {from: {app: shop-db}, to: shop-alpha}"],
    ['{from: {app: shop-web}', '{from: {app: shop-web, environment: shop-beta}', "16:14: a promotion has one source: keep 'app' or 'environment'"],
    ['{from: {app: shop-web}', '{apps: [shop-api], from: {app: shop-web}', "16:14: a promotion from application 'shop-web' carries that alone; write apps: [shop-web], or leave it out"],
    ['soak: 5m', 'after: [shop-beta]', "18:76: 'shop-beta' waits for itself"],
    ['soak: 5m', 'select: {list: [abc]}', "18:76: 'abc' is not the digest of a revision: 64 characters from 0 to f, as `starling app revisions NAME -o json` shows"],
    ['kind: approval,', 'kind: approval, run: x,', "7:68: 'run' is not for steps of kind approval; those have rules, preventSelfApproval, expiresAfter"],
    [', rules: [{group: qa, count: 1}]}]}', '}]}', "7:41: step 'qa' of kind approval needs 'rules', such as [{group: qa, count: 1}]"],
    ['size: 1,', 'size: 1, verify: bata,', "10:50: there is no workflow or health check 'bata' in this file; did you mean 'beta'?"],
    ['    - name: careful\n', '    - name: careful\n      healthChecks: [{name: full, http: {path: healthz}, timeout: 2s}]\n', "10:48: healthChecks[0].http.path: 'healthz' is not a path such as /healthz"],
    ['batches: [{name: one-box, size: 1,', 'healthChecks: [{name: beta, http: {path: /ok}}]\n      batches: [{name: one-box, size: 1, verify: beta,', "11:50: 'beta' is a workflow and a health check; call one of them otherwise"],
    ['size: 1,', 'size: 1, minSamples: {metric: requests, count: 9},', '10:54: batches[0].minSamples: it is not said who is asked; name a server such as http://prom:9090'],
    ['    - name: careful\n', '    - name: careful\n      alarms: [{name: p99, provider: {prometheus: {url: "http://prom:9090", query: x}}, failureCondition: high}]\n', "10:107: alarms[0].failureCondition: 'high' is not a condition such as 'result >= 0.05'"],
    ['    - name: careful\n', '    - name: careful\n      alarms: [{name: p99}]\n', "10:23: alarms[0].name: alarm 'p99' is either a webhook that lists alerts, or a query of Prometheus"],
    ['size: 1,', 'size: 0,', "10:39: batches[0].size: '0' is neither a number of targets from 1 nor a share from 1% to 100%"],
    ['bake: 10m', 'bake: 2d', '10:62: batches[0].bake: 2d is not from 0s to 1d'],
    ['    - name: careful\n', '    - name: careful\n      minHealthy: "100%"\n', '10:19: minHealthy: 100% lets no target be changed; use at most 99%'],
    ['    - name: careful\n', '    - name: careful\n      minHealthyTime: 1h\n', '10:23: minHealthyTime: 1h is not below progressDeadline (10m), so that waiting for it would count as no progress'],
    ['    - name: careful\n', '    - name: careful\n      prefetch: {enabled: false, quorum: {coverage: 0.5}}\n', '10:42: nothing fetches ahead, so that this would never be reached; leave it out, or write enabled: true'],
  ])('%j -> %j', (from, to, problem) => {
    expect(problemsOf(edited(from, to))).toEqual([problem]);
  });

  test('G-1 CDS-3 two sources of one application in one environment, and promotions in a circle, are found where they are written', () => {
    expect(problemsOf(edited('  notifications', '    - {from: {environment: shop-alpha}, to: shop-prod, apps: [shop-web]}\n  notifications'))).toEqual([
      "20:7: shop-web in 'shop-prod' has two sources, 'shop-beta-to-shop-prod' and 'shop-alpha-to-shop-prod': each application comes to an environment from one; say 'apps' at one of them, or use 'after' to wait for another environment",
    ]);
    expect(problemsOf(edited('{from: {environment: shop-alpha}, to: shop-beta', '{from: {environment: shop-prod}, to: shop-beta'))).toEqual([
      '18:44: promotions go in a circle through shop-beta, shop-prod; each needs a way that begins at an application',
    ]);
  });

  test.each([
    ['America/New_York', 'America/NewYork', "29:17: timeZone: there is no zone 'America/NewYork'; use a name such as 'Europe/Berlin', not an offset"],
    ['from: "09:00", to: "16:00"', 'from: 9:00, to: "16:00"', `30:38: found '9:00'; expected a time in quotes, such as "09:00"`],
    ['days: mon-thu', 'days: mon-thr', "30:23: 'mon-thr' is not a day or a range of days; expected mon, tue, wed, thu, fri, sat, sun, or such as mon-thu"],
    ['      weekly:', '      duration: 2h\n      weekly:', "30:7: 'duration' is for windows with 'cron'; the others say when they end"],
    ['to: "2027-01-03T00:00:00"', 'to: "2025-01-03T00:00:00"', '37:13: once: 2025-01-03T00:00 is not after 2026-12-18T00:00'],
    ['approvals: {group: release-managers, count: 2}, ', '', "38:17: 'approvals' is missing: who may lift it, such as {group: release-managers, count: 2}"],
    ['needs: [smoke]', 'needs: [smok]', "46:73: there is no step 'smok' in this file; did you mean 'smoke'?"],
    ['timeout: 10m, retries: 1', 'timeout: 10m, needs: [contract]', "45:105: step 'contract' is not before 'smoke': write what a step needs above it"],
    ['result < 0.01', 'result is low', "59:29: successCondition 'result is low' is not a condition such as 'result < 0.01' or 'result >= 0.05 && result < 1'"],
    ['interval: 1m\n          count: 10', 'interval: 10ms\n          count: 10', '57:21: interval 10ms is too short; at least 100ms'],
    ['      timeout: 8h\n', '      timeout: 8h\n      schedule: {cron: "0 3 * * funday", timeZone: UTC}\n', "50:24: '0 3 * * funday' is not a schedule of five fields (minute, hour, day of month, month, day of week)"],
    ['CHG-[0-9]+', 'CHG-[0-9', `108:35: 'CHG-[0-9' is not a regular expression such as "CHG-[0-9]+"`],
    ['rule: testedIn, environment: gamma', 'rule: testedIn', "107:11: rule testedIn needs 'environment', such as environment: gamma"],
    ['rule: separationOfDuties, author', 'rule: separationOfDuties, group: a, author', "105:38: 'group' is not for rule separationOfDuties; that has author, submitter"],
  ])('windows, workflows and policies: %j -> %j', (from, to, problem) => {
    expect(problemsOf(edited(from, to, storefront))).toEqual([problem]);
  });
});

describe('a file that is right', () => {
  test('CDS-2 has every part of a pipeline, and says of what it cannot do that it has no effect', () => {
    const { pipelines, problems } = readFileText('storefront.yaml', storefront);
    expect(problems).toEqual([]);
    expect(pipelines).toMatchObject([{ pipeline: 'storefront', project: 'shop', apps: ['web', 'api'] }]);
    const [{ spec, environments } = { spec: undefined, environments: [] }] = pipelines;
    expect(spec?.notifications).toHaveLength(3);
    expect(spec?.edges.map(({ edge, apps }) => [edge, apps.join()])).toEqual([['web-to-alpha', 'web'], ['api-to-alpha', 'api'], ['alpha-to-gamma', 'web,api'], ['gamma-to-prod-na', 'web,api'], ['gamma-to-prod-eu', 'web,api'], ['gamma-to-prod-fe', 'web,api']]);
    expect(environments.find(({ environment }) => environment === 'prod-eu')).toEqual({
      environment: 'prod-eu',
      apps: ['web', 'api'],
      selector: { env: 'prod', region: 'eu' },
      config: {
        batches: [{ name: 'one-box', size: 1, canary: true, bakeMs: 3_600_000, check: 'full-health' }, { name: 'wave-1', size: '10%', bakeMs: 1_800_000 }, { name: 'wave-2', size: '30%', bakeMs: 600_000 }, { name: 'rest', size: '100%' }],
        maxParallel: '25%',
        minHealthy: '75%',
        minHealthyTimeMs: 10_000,
        healthyDeadlineMs: 300_000,
        progressDeadlineMs: 1_800_000,
        failureThreshold: { count: 1, percent: 5 },
        lostAfterMs: 900_000,
        unreachable: { tolerate: '2%' },
        bakeMs: 1_800_000,
        autoRollback: true,
        prefetch: { enabled: true },
        healthChecks: [{ name: 'full-health', path: '/healthz', port: 8080, status: 200, intervalMs: 5_000, successes: 3, timeoutMs: 60_000 }],
        alarms: [{ alarm: 'p99', webhook: 'http://prom:9093/api/v2/alerts?filter=severity=page' }],
      },
    });
    expect(spec?.workflows[1]?.steps[2]).toMatchObject({ step: 'error-rate', kind: 'analysis', with: { prometheus: 'http://prom:9090', interval: '1m', count: '10', success: 'result < 0.01', failure: 'result >= 0.05', failureLimit: '1' } });
    expect(warningsOf(storefront).filter((warning) => !warning.includes('autoBuild') && !warning.includes("'repo'") && !warning.includes("'build'"))).toEqual([]);
  });

  test('CDS-4 says how its applications are built, and of what is not enough for that that it has no effect', () => {
    const built = readFileText('f', edited('{name: shop-api}]', '{name: shop-api, repo: {url: "https://git/x", paths: ["src/**"]}, autoBuild: {command: make, output: out}}]')).pipelines[0]?.builds;
    expect(built).toEqual([{ app: 'shop-api', settings: { repo: { url: 'https://git/x', branch: 'main', paths: ['src/**'] }, enabled: true, intervalMs: 60_000, coalesce: true, command: 'make', output: 'out', timeoutMs: 1_800_000, role: 'builder' } }]);
    expect(warningsOf(edited('{name: shop-api}]', '{name: shop-api, repo: {url: "https://git/x"}}]'))).toEqual(["5:45: 'repo' has no effect in this version: it is for 'autoBuild' with a 'command'"]);
    expect(warningsOf(edited('{name: shop-api}]', '{name: shop-api, autoBuild: {build: node}}]'))).toEqual(["5:45: 'autoBuild' has no effect in this version: without 'command' nothing is built: revisions come from `starling push`", "5:57: 'build' has no effect in this version: write 'command', and what it leaves as 'output'"]);
  });

  test('CDS-17 a policy of a framework is told what that expects beside, and evidence names the clauses', () => {
    expect(warningsOf(storefront).filter((warning) => warning.includes('PCI expects'))).toEqual([]);
    expect(warningsOf(edited('- {rule: ticket, pattern: "CHG-[0-9]+"}', '', storefront)).filter((warning) => warning.includes('PCI expects'))).toEqual(["103:7: PCI expects rule 'ticket' too, which this policy does not demand (PCI DSS 6.5.1: reason and description of the change)"]);
    expect((['SOX', 'HIPAA', 'FISMA', 'custom'] as const).map((framework) => lackingOf({ framework, requires: [{ rule: 'separationOfDuties' }] }).map(({ rule }) => rule).join())).toEqual(['approvals,testedIn,ticket', 'approvals,signedArtifacts', 'approvals,ticket,testedIn,signedArtifacts', '']);
    expect([clauseOf('SOX', 'separationOfDuties'), clauseOf('HIPAA', 'approvals'), clauseOf('FISMA', 'signedArtifacts')]).toEqual([
      'COBIT DSS06.03: duties are segregated', '45 CFR 164.308(a)(8): evaluation in response to operational changes', 'NIST SP 800-53 SI-7(15): authenticated before they are installed',
    ]);
    expect(clauseOf('PCI', 'ticket')).toBe('PCI DSS 6.5.1: reason and description of the change');
  });

  test('words that older readers took for truth values are words, and anchors are understood', () => {
    expect(problemsOf(edited('"env=prod"', '{env: on}'))).toEqual([]);
    expect(problemsOf(edited('"env=alpha"', '&t "env=alpha"').replace('"env=beta"', '*t'))).toEqual([]);
  });

  test('the published schema takes it, and refuses what the reader refuses', () => {
    const validate = new Ajv2020({ strict: false }).compile(JSON.parse(fileSchemas.get('Pipeline') ?? ''));
    for (const text of [shop, storefront]) expect(validate(parse(text))).toBe(true);
    expect(validate(parse(edited('soak: 5m', 'soak: 5 minutes')))).toBe(false);
  });
});
