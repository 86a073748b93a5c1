// An origin that makes delta sets and targets that use them, on a memory network: real swarms, shelves, makers and codecs.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { systemClock, type Clock } from '../../../../daemon/clock.ts';
import { openManifests, type Manifest, type Manifests } from '../../../../daemon/content/manifests.ts';
import { createMemoryStore } from '../../../../daemon/content/memory.ts';
import type { ChunkStore } from '../../../../daemon/content/store.ts';
import { createDeltaDecoder } from '../../../../daemon/delta/decode.ts';
import { createDeltaEncoder } from '../../../../daemon/delta/encode.ts';
import { createMetrics, type DaemonMetrics } from '../../../../daemon/metrics.ts';
import { openDeltaFiles } from '../../../../daemon/run/delta/files.ts';
import { createDeltaMaker, type DeltaMaker } from '../../../../daemon/run/delta/make.ts';
import { createDeltaDesk, createDeltaShelf, type DeltaDesk, type DeltaShelf } from '../../../../daemon/run/delta/shelf.ts';
import { createDeltaUse, type DeltaUse } from '../../../../daemon/run/delta/use.ts';
import { createSwarm } from '../../../../daemon/swarm/exchange/exchange.ts';
import { createMemoryHub, type MemoryHub } from '../../../../daemon/swarm/memory/memory-network.ts';
import type { DeltaSource, Swarm } from '../../../../daemon/swarm/swarm.ts';
import { openDeltaStatement, signDeltaStatement } from '../../../../daemon/trust/statements/delta-statement.ts';
import { createIdentity, type Identity } from '../../../../daemon/trust/identity/identity.ts';
import type { Role, Roster } from '../../../../proto/statement.ts';
import { buildRevision, type BuiltRevision } from '../../../support/revisions.ts';
import { repeatableBytes } from '../../../proto/fixtures.ts';
import { silent } from '../../../contract/trust-fixture.ts';
import { certificateOf, counts, until } from '../../swarm/swarm-fixture.ts';
import { seeded } from '../../../support/random.ts';

export const environments = ['prod'];

/** Version `n` of a program of 600 KB in which 20 bytes in every 50,000 are the version's own. */
export function version(number: number): BuiltRevision {
  const bytes = Buffer.from(repeatableBytes('program', 600_000));
  for (let at = 10_000; number > 1 && at < bytes.length; at += 50_000) bytes.fill(number, at, at + 20);
  return buildRevision('web', { program: bytes, notes: `version ${number}` });
}

export interface Machine {
  readonly identity: Identity;
  readonly swarm: Swarm;
  readonly manifests: Manifests;
  readonly store: ChunkStore;
  readonly shelf: DeltaShelf;
  readonly desk: DeltaDesk;
  readonly metrics: DaemonMetrics;
  readonly directory: string;
  /** Keeps a revision as installed, or as published. */
  hold(revision: BuiltRevision): Promise<Manifest>;
}

export class Scene implements AsyncDisposable {
  readonly hub: MemoryHub = createMemoryHub({ clock: systemClock, latencyMs: 0, uplink: () => 1_000_000 });
  readonly stop = new AbortController();
  readonly encoders = { sets: createDeltaEncoder({ threads: 1 }), indexes: createDeltaEncoder({ threads: 1 }) };
  readonly machines: { readonly machine: Machine; readonly roles: Role[] }[] = [];
  #epoch = 0;

  async machine(roles: Role[], setsMax = 12): Promise<Machine> {
    const directory = await mkdtemp(join(tmpdir(), 'starling-delta-run-'));
    const identity = await createIdentity(directory);
    const manifests = await openManifests(join(directory, 'manifests'));
    const store = createMemoryStore();
    const desk = createDeltaDesk();
    const { signal } = this.stop;
    const swarm = createSwarm({
      network: this.hub.join(identity.member, certificateOf(identity.member, `m${this.machines.length}`, roles)),
      roles, manifests: async () => await Promise.resolve(undefined), deltas: desk.source, metrics: counts(), clock: systemClock, random: seeded(this.machines.length).next, log: silent,
    });
    const shelf = createDeltaShelf({ files: await openDeltaFiles(join(directory, 'deltas')), swarm, log: silent, setsMax });
    const machine: Machine = {
      identity, swarm, manifests, store, shelf, desk, directory,
      metrics: createMetrics(new Registry(), { version: '0', nodeVersion: '0' }),
      async hold(revision) {
        const manifest = manifests.assemble(revision.digest, revision.manifest, revision.index);
        await manifests.keep(manifest);
        await store.put(Array.from({ length: revision.tree.chunkCount }, (_, ordinal) => ({ id: revision.tree.chunk(ordinal).id, bytes: revision.chunk(ordinal) })), { signal });
        return manifest;
      },
    };
    this.machines.push({ machine, roles });
    return machine;
  }

  roster(): Roster {
    return {
      epoch: this.#epoch,
      members: this.machines
        .map(({ machine, roles }) => ({ member: machine.identity.member, roles, addresses: [`/memory/${machine.identity.member}`], environments, zone: 'a' }))
        .toSorted((a, b) => (a.member < b.member ? -1 : 1)),
      revoked: [],
    };
  }

  /** Everybody meets everybody. */
  async meet(): Promise<void> {
    this.#epoch += 1;
    for (const { machine } of this.machines) machine.swarm.setRoster(this.roster());
    await until(() => this.machines.every(({ machine }) => machine.swarm.neighbours().length === this.machines.length - 1), 'everybody has met');
  }

  maker(machine: Machine, options: { readonly sign?: Identity } = {}): DeltaMaker {
    const maker = createDeltaMaker({
      ...machine, chunks: machine.store, encoders: this.encoders, environmentsOf: () => environments, clock: systemClock, log: silent, signal: this.stop.signal,
      sign: (about) => signDeltaStatement(options.sign ?? machine.identity, about),
    });
    machine.desk.answerWith(maker.source);
    return maker;
  }

  use(machine: Machine, bases: readonly BuiltRevision[], clock: Clock = systemClock): DeltaUse {
    machine.desk.answerWith(fromShelf(machine.shelf));
    return createDeltaUse({
      ...machine, base: machine.store, bases: async () => await Promise.resolve(bases.map(({ digest }) => digest)),
      decoder: createDeltaDecoder(), verify: async (compact, descriptor) => await openDeltaStatement(compact, descriptor, this.roster()), clock, log: silent,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop.abort();
    for (const { machine } of this.machines) {
      machine.shelf.close();
      await machine.swarm.close();
      await rm(machine.directory, { recursive: true, force: true });
    }
    await this.encoders.sets[Symbol.asyncDispose]();
    await this.encoders.indexes[Symbol.asyncDispose]();
  }
}

function fromShelf(shelf: DeltaShelf): DeltaSource {
  return async (question) => {
    const best = await Promise.resolve(shelf.best(question));
    return best === undefined ? undefined : { etaMs: 0, statement: best.statement, descriptor: best.descriptor, environments };
  };
}
