// The time that no distribution could beat (Kumar and Ross): every byte must leave the origin once, enter each target, and be sent by somebody each time.

/** What is known. Bytes a second; undefined where a member does not declare its rate. */
export interface FluidCase {
  /** What each target fetches, and its rates. */
  readonly targets: readonly { readonly bytes: number; readonly send: number | undefined; readonly receive: number | undefined }[];
  /** What each seed and proxy may send. */
  readonly origins: readonly (number | undefined)[];
}

export interface FluidBound {
  readonly boundMs?: number;
  readonly boundBy?: 'origin-uplink' | 'downlink' | 'all-uplinks';
  /** Terms that could not be told. Without them the bound is still one, but a lower one than it could be. */
  readonly unknown: readonly string[];
}

/**
 * `T ≥ max(F / u_s, max(F_i / d_i), ΣF_i / (u_s + Σu_i))` with F the most that one target fetched, as if no target had held any of that before.
 * A term whose rates nobody declares is left out and named.
 */
export function fluidBound({ targets, origins }: FluidCase): FluidBound {
  const fetching = targets.filter(({ bytes }) => bytes > 0);
  const most = Math.max(0, ...fetching.map(({ bytes }) => bytes));
  const all = fetching.reduce((sum, { bytes }) => sum + bytes, 0);
  const unknown: string[] = [];
  if (most === 0) return { unknown };
  const terms: { readonly by: NonNullable<FluidBound['boundBy']>; readonly ms: number }[] = [];
  const known = (rates: readonly (number | undefined)[]): number | undefined => (rates.length === 0 || rates.includes(undefined) ? undefined : rates.reduce<number>((sum, rate) => sum + (rate ?? 0), 0));

  const origin = known(origins);
  if (origin === undefined) unknown.push(origins.length === 0 ? "the origin's line: there is no seed" : `the origin's line: ${count(origins.filter((rate) => rate === undefined).length, 'seed')} declared no rate`);
  else terms.push({ by: 'origin-uplink', ms: (1000 * most) / origin });

  const down = fetching.flatMap(({ bytes, receive }) => (receive === undefined ? [] : [(1000 * bytes) / receive]));
  if (down.length > 0) terms.push({ by: 'downlink', ms: Math.max(...down) });
  if (down.length < fetching.length) unknown.push(`lines of targets: ${count(fetching.length - down.length, 'target')} declared no rate`);

  const up = known(targets.map(({ send }) => send));
  if (origin !== undefined && up !== undefined) terms.push({ by: 'all-uplinks', ms: (1000 * all) / (origin + up) });
  else unknown.push(`the lines of all together: ${count(origins.filter((rate) => rate === undefined).length, 'seed')} and ${count(targets.filter(({ send }) => send === undefined).length, 'target')} declared no rate`);

  const [highest] = terms.toSorted((a, b) => b.ms - a.ms);
  return { ...(highest === undefined ? {} : { boundMs: Math.ceil(highest.ms), boundBy: highest.by }), unknown };
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
