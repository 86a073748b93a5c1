// The shipped units, the rule of polkit and the drop-ins under a systemd that is process 1: the programs in their walls, and applications as units beside
// them. One machine for all of it, in the order of what an operator does with it.

import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { canBoot, SystemdMachine } from './systemd-machine.ts';

const timeout = 180_000;
const dropIns = '/etc/systemd/system/starlingd.service.d';

let machine: SystemdMachine;

const agent = `name: one
dataDir: /var/lib/starlingd
listen: /ip4/127.0.0.1/tcp/0
http: { port: 7412 }
apps:
  web: { root: /srv/web }
  own: { root: /srv/own }
  site: { root: /srv/site, port: 8082 }
`;
const seed = `name: seed
dataDir: /var/lib/seed
roles: [seed, proxy]
listen: /ip4/127.0.0.1/tcp/0
http: { port: 7413 }
`;
const ports = { web: 8080, own: 8081, site: 8082 } as const;
type App = keyof typeof ports;

/** How each application is run; 'own' ships its unit, that of 'web' comes with the machine. */
const services = {
  web: '{ manager: systemd, units: [{ name: starling-app-web.service, action: restart }] }',
  own: '{ manager: systemd, units: [{ name: own.service, action: restart }] }',
  site: '{ manager: process, command: [node, server.mjs], stopTimeoutSeconds: 5 }',
} as const;
const unitOf = (app: App): string => `[Service]
ExecStart=/usr/local/bin/node /srv/${app}/current/server.mjs
Environment=PORT=${ports[app]}
DynamicUser=yes
`;

/** Serves a word and who says it. */
const server = (word: string, port = 'process.env.PORT'): string => `import { createServer } from 'node:http';
const uid = process.getuid();
createServer((request, reply) => reply.end('${word} of ' + (uid >= 61184 && uid <= 65519 ? 'a user of its own' : uid === 0 ? 'root' : 'the daemon'))).listen(${port}, '127.0.0.1');
`;

/** Serves where nobody looks. */
const bad = server('bad', '9999');

/** Pushes and promotes; what was said of it, and whether it was done. */
async function deploy(app: App, source: string, unit?: string): Promise<{ readonly done: boolean; readonly said: string }> {
  const tree = `/root/${app}`;
  await machine.write(`${tree}/server.mjs`, source);
  if (unit !== undefined) await machine.write(`${tree}/systemd/${app}.service`, unit);
  await machine.write(`${tree}/deploy.yaml`, `apiVersion: starling/v1
kind: DeploySpec
install: { layout: releases }
service: ${services[app]}
health:
  - { kind: http, url: 'http://127.0.0.1:${app === 'site' ? '${PORT}' : ports[app]}/', intervalSeconds: 0.1, successes: 2, timeoutSeconds: ${source === bad ? 1 : 20} }
`);
  await machine.run(`starling push ${tree} --app ${app}`);
  const { code, out } = await machine.tried(`starling promote --to ${app} --revision latest --wait 1m`);
  return { done: code === 0, said: out };
}

const answerOf = async (app: App): Promise<string> => await machine.run(`curl -fsS --max-time 5 http://127.0.0.1:${ports[app]}/`);
const processOf = async (unit: string): Promise<string> => await machine.run(`systemctl show --property=MainPID --value ${unit}`);

/** Gives the daemon a drop-in, and the roots and its state to whom it then runs as. */
async function restartWith(name: string, text: string, user: string): Promise<void> {
  await machine.write(`${dropIns}/${name}`, text);
  await machine.run(`systemctl stop starlingd; chown -R ${user}: /srv/web /srv/own /srv/site /var/lib/starlingd; systemctl daemon-reload; systemctl start starlingd`);
}

describe.runIf(canBoot())('under systemd', () => {
  beforeAll(async () => {
    machine = await SystemdMachine.boot();
    await machine.write('/etc/starling/agent.yaml', agent);
    await machine.write('/etc/starling/seed.yaml', seed);
    await machine.write('/etc/systemd/system/starling-app-web.service', unitOf('web'));
    await machine.run('systemctl daemon-reload; systemctl start starling-control; until curl -fs $STARLING_URL/healthz; do sleep 0.1; done');
    await machine.run('starling token create --join --roles seed,proxy --save seed.token; starlingd join $STARLING_URL --token-file seed.token --config /etc/starling/seed.yaml; systemd-run --unit=seed -E HOME=/root starlingd run --config /etc/starling/seed.yaml');
    for (const app of Object.keys(ports)) await machine.run(`starling app create ${app}; starling env create ${app} --app ${app} --targets host=one`);
    await machine.run('starling token create --join --environments web,own,site --labels host=one --save one.token; install -o starlingd -m 600 one.token /etc/starling/one.token');
    await machine.run('for app in web own site; do install -d -o starlingd -g starlingd /srv/$app; done; install -d -o starlingd -g starlingd -m 700 /var/lib/starlingd');
    await machine.run('runuser -u starlingd -- starlingd join $STARLING_URL --token-file /etc/starling/one.token --config /etc/starling/agent.yaml');
  }, timeout);
  afterAll(async () => await machine[Symbol.asyncDispose](), timeout);

  test('a daemon that is not root starts in its walls, and is refused a unit with a word on what to do', { timeout }, async () => {
    await machine.run('systemctl start starlingd');
    expect(await machine.run('ps -o user= -p "$(systemctl show --property=MainPID --value starlingd)"')).toBe('starlingd');
    const { done, said } = await deploy('web', server('first'));
    expect(done).toBe(false);
    expect(said).toContain('failed ACTIVATION_FAILED: systemd lets a daemon that is not root manage units by a rule of polkit, see starlingd.rules in its package');
  });

  test('by the rule it runs the units of the machine, each as its own user, and takes a bad release back', { timeout }, async () => {
    await machine.write('/etc/polkit-1/rules.d/50-starlingd.rules', await readFile('daemon/package/starlingd.rules', 'utf8'));
    for (const word of ['second', 'third']) {
      expect(await deploy('web', server(word))).toMatchObject({ done: true });
      expect(await answerOf('web')).toBe(`${word} of a user of its own`);
    }
    const { done, said } = await deploy('web', bad);
    expect(done).toBe(false);
    expect(said).toContain('one rolled-back HEALTH_FAILED');
    expect(await answerOf('web')).toBe('third of a user of its own');
  });

  test('the rule is for these units and for what is done with them, and for nobody else', { timeout }, async () => {
    const told = async (user: string, ...command: readonly string[]): Promise<string> => (await machine.tried(`runuser -u ${user} -- systemctl ${command.join(' ')}`)).out;
    expect(await told('starlingd', 'restart', 'starling-app-web.service')).toBe('');
    for (const unit of ['starling-control.service', 'starling-app-web.service.mount', 'x-starling-app-web.service']) expect(await told('starlingd', 'stop', unit)).toMatch(/authentication required|not loaded/);
    expect(await told('starlingd', 'kill', 'starling-app-web.service')).toContain('authentication required');
    expect(await told('starlingd', 'daemon-reload')).toContain('authentication required');
    expect(await told('starling', 'restart', 'starling-app-web.service')).toContain('authentication required');
  });

  test('applications go on while the daemon is stopped, killed, or hangs, after which systemd starts it anew', { timeout }, async () => {
    const [app, before] = [await processOf('starling-app-web'), await processOf('starlingd')];
    await machine.run(`kill -KILL ${before}`);
    await machine.until('systemd starts it anew', async () => ![before, '0'].includes(await processOf('starlingd')));
    // In place of three minutes, and of twenty seconds for one that does not listen.
    await restartWith('watchdog.conf', '[Service]\nWatchdogSec=3\nTimeoutStopSec=1\n', 'starlingd');
    const hanging = await processOf('starlingd');
    await machine.run(`kill -STOP ${hanging}`);
    await machine.until('the watchdog sees it', async () => ![hanging, '0'].includes(await processOf('starlingd')));
    expect(await machine.run('journalctl -u starlingd')).toContain('Watchdog timeout');
    expect(await processOf('starling-app-web')).toBe(app);
    expect(await deploy('web', server('fourth'))).toMatchObject({ done: true });
    expect(await answerOf('web')).toBe('fourth of a user of its own');
  });

  test('the supervisor in its drop-in runs applications that outlive the daemon', { timeout }, async () => {
    await restartWith('supervisor.conf', await readFile('daemon/package/starlingd-supervisor.conf', 'utf8'), 'starlingd');
    expect(await deploy('site', server('first'))).toMatchObject({ done: true });
    expect(await answerOf('site')).toBe('first of the daemon');
    await machine.run('systemctl stop starlingd');
    expect(await answerOf('site')).toBe('first of the daemon');
    await machine.run('systemctl start starlingd');
    expect(await deploy('site', server('second'))).toMatchObject({ done: true });
    expect(await answerOf('site')).toBe('second of the daemon');
    expect((await deploy('site', 'process.exit(3);')).done).toBe(false);
    expect(await answerOf('site')).toBe('second of the daemon');
  });

  test('releases bring units where a drop-in makes the daemon root, and a bad one is taken back', { timeout }, async () => {
    expect(await deploy('own', server('first'), unitOf('own'))).toMatchObject({ done: false, said: expect.stringContaining('starlingd-units.conf of its package') });
    await restartWith('units.conf', await readFile('daemon/package/starlingd-units.conf', 'utf8'), 'root');
    for (const word of ['second', 'third']) {
      expect(await deploy('own', server(word), unitOf('own'))).toMatchObject({ done: true });
      expect(await answerOf('own')).toBe(`${word} of a user of its own`);
    }
    expect((await deploy('own', bad, unitOf('own'))).done).toBe(false);
    expect((await deploy('own', server('none'), '[Service]\n')).done).toBe(false);
    expect((await deploy('own', server('none'), 'no unit')).done).toBe(false);
    expect(await answerOf('own')).toBe('third of a user of its own');
    expect(await machine.run('readlink /etc/systemd/system/own.service')).toBe('/srv/own/current/systemd/own.service');
  });

  test('the control plane that is killed is started anew, and nothing is lost', { timeout }, async () => {
    const before = await processOf('starling-control');
    await machine.run(`kill -KILL ${before}`);
    await machine.until('systemd starts it anew', async () => (await machine.tried('curl -fsS $STARLING_URL/healthz')).code === 0 && (await processOf('starling-control')) !== before);
    expect(await machine.run('starling status')).toMatch(/own +own +3 /);
    expect(await deploy('own', server('fourth'), unitOf('own'))).toMatchObject({ done: true });
  });

  test('what the daemon logged is one object a line, no field twice', { timeout }, async () => {
    const lines = (await machine.run("journalctl -u starlingd -o cat | grep '^{'")).split('\n');
    expect(lines.length).toBeGreaterThan(50);
    for (const line of lines) expect(JSON.stringify(JSON.parse(line))).toBe(line);
  });
});
