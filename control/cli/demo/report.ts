// What a demo found out: the object of `--json`, the table for people, and what did not hold of what was promised.

import { renderTable, type Column } from '../text/table.ts';
import type { Terminal } from '../text/terminal.ts';
import { bytesText, countText } from '../text/text.ts';
import type { Probed } from './prober.ts';

/** One version, with the sums over all targets. */
export interface VersionReport {
  readonly version: string;
  readonly result: 'succeeded' | 'rolled-back' | 'failed';
  /** Bytes of upload bodies that the proxy received. */
  readonly uploadedBytes: number;
  readonly originBytes: number;
  readonly peerBytes: number;
  readonly reusedBytes: number;
  /** From the beginning of the push to the end of the deployment. */
  readonly seconds: number;
  readonly treeBytes: number;
  readonly entries: number;
  /** The most that one target fetched, from whomever. */
  readonly fetchedBytesMax: number;
  readonly wastedBytes: number;
  readonly pushSeconds: number;
  /** Targets on which it was tried, and those that put the old version back. */
  readonly triedOn: readonly string[];
  readonly rolledBackOn: readonly string[];
}

/** The object of `--json`. */
export interface DemoReport {
  readonly targets: number;
  readonly versions: readonly VersionReport[];
  /** Versions that were rolled back. */
  readonly rolledBack: readonly string[];
  /** How the service answered while version 3 was tried; absent when nothing of it listens. */
  readonly service?: { readonly probes: number; readonly failures: number; readonly targets: readonly Probed[] };
  readonly seconds: number;
  /** What did not hold; empty when everything did. */
  readonly problems: readonly string[];
}

/** Bytes of a tree above which its metadata is a small part of it, so that shares mean something. */
const shareTreeBytesMin = 10_000_000;
const originSharesMax = 1.5;
const changeShareMax = 0.01;

/** What of the demo's promises did not hold, a sentence each. */
export function problemsOf({ versions, service }: Pick<DemoReport, 'versions' | 'service'>): readonly string[] {
  const problems: string[] = [];
  const expect = (held: boolean, text: string): void => void (held || problems.push(text));
  for (const { version, result, treeBytes, uploadedBytes, originBytes, fetchedBytesMax, triedOn, rolledBackOn } of versions) {
    const wanted = version === '3' ? 'rolled-back' : 'succeeded';
    expect(result === wanted, `version ${version} ${result}; expected ${wanted}`);
    const counts = treeBytes >= shareTreeBytesMin && result === 'succeeded';
    if (version === '1' && counts) expect(originBytes <= originSharesMax * treeBytes, `the origin sent ${bytesText(originBytes)} of version 1, more than ${originSharesMax} times its ${bytesText(treeBytes)}`);
    if (version === '2' && counts) {
      expect(uploadedBytes < changeShareMax * treeBytes, `version 2 took ${bytesText(uploadedBytes)} of upload, not less than 1 % of its ${bytesText(treeBytes)}`);
      expect(fetchedBytesMax < changeShareMax * treeBytes, `a target fetched ${bytesText(fetchedBytesMax)} of version 2, not less than 1 % of its ${bytesText(treeBytes)}`);
    }
    if (version === '3') {
      expect(triedOn.length > 0, 'version 3 was tried on no target');
      for (const name of triedOn) expect(rolledBackOn.includes(name), `version 3 was not rolled back on ${name}`);
    }
  }
  for (const { target, probes, failures, examples } of service?.targets ?? []) {
    expect(probes > 0, `the service on ${target} was never asked while version 3 was tried`);
    expect(failures === 0, `the service on ${target} failed ${failures} of ${probes} probes while version 3 was tried: ${examples.join('; ')}`);
  }
  return problems;
}

const columns: readonly Column<VersionReport>[] = [
  { title: 'VERSION', cell: ({ version }) => version },
  { title: 'RESULT', cell: ({ result }) => result, colour: ({ version, result }) => (result === (version === '3' ? 'rolled-back' : 'succeeded') ? 'green' : 'red') },
  { title: 'TREE', cell: ({ treeBytes }) => bytesText(treeBytes), align: 'right' },
  { title: 'UPLOADED', cell: ({ uploadedBytes }) => bytesText(uploadedBytes), align: 'right' },
  { title: 'FROM ORIGIN', cell: ({ originBytes }) => bytesText(originBytes), align: 'right' },
  { title: 'FROM PEERS', cell: ({ peerBytes }) => bytesText(peerBytes), align: 'right' },
  { title: 'REUSED', cell: ({ reusedBytes }) => bytesText(reusedBytes), align: 'right' },
  { title: 'SECONDS', cell: ({ seconds }) => seconds.toFixed(1), align: 'right' },
];

/** The table, and the sentences under it. */
export function describeReport(report: DemoReport, { paint, width }: { readonly paint: Terminal['paint']; readonly width: number | undefined }): readonly string[] {
  const { versions, service, problems, targets, seconds } = report;
  const third = versions.find(({ version }) => version === '3');
  return [
    ...renderTable(versions, columns, { paint, width }),
    `bytes are sums over ${countText(targets, 'target')}, as their own counters say`,
    ...(third === undefined ? [] : [`version 3 failed its health check on ${third.triedOn.join(', ') || 'no target'} and was rolled back on ${third.rolledBackOn.join(', ') || 'none'}`]),
    ...(service === undefined ? [] : [`meanwhile the service was asked ${service.probes} times: ${service.failures === 0 ? 'version 2 answered every time' : `${service.failures} failures`}`]),
    ...problems.map((problem) => paint('red', `did not hold: ${problem}`)),
    `the whole took ${seconds.toFixed(0)} s`,
  ];
}
