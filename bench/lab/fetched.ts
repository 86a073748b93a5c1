// What a member says in its metrics of what it has fetched.

/** What an agent has fetched: chunk bytes that were verified and kept, and revisions that became whole. */
export interface Fetched {
  readonly originBytes: number;
  readonly peerBytes: number;
  readonly revisions: number;
}

/** By the metrics of its local API at `url`, whether or not a control plane is there. */
export async function fetchedBy(url: string): Promise<Fetched> {
  const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(30_000) });
  const text = await response.text();
  const value = (series: string): number => Number(text.split('\n').find((line) => line.startsWith(`starling_agent_${series} `))?.split(' ').at(-1) ?? 0);
  return {
    originBytes: value('received_bytes_total{source="origin"}'),
    peerBytes: value('received_bytes_total{source="peer"}'),
    revisions: value('artifact_fetch_duration_seconds_count{result="ok"}'),
  };
}
