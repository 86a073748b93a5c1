// The least time in which bytes can reach everybody, if they flowed like water (Kumar and Ross, "Peer-assisted file distribution", 2006).

export interface FluidCase {
  readonly bytes: number;
  readonly originMbit: number;
  /** Each way, of every target. */
  readonly targetMbit: readonly number[];
}

/** T = max(F / origin, F / slowest target, N F / (origin + all targets)), in milliseconds. */
export function fluidBoundMs({ bytes, originMbit, targetMbit }: FluidCase): number {
  const bits = bytes * 8;
  const upload = targetMbit.reduce((sum, mbit) => sum + mbit, originMbit);
  const seconds = Math.max(bits / (originMbit * 1e6), bits / (Math.min(...targetMbit) * 1e6), (targetMbit.length * bits) / (upload * 1e6));
  return seconds * 1000;
}
