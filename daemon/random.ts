// Chance, handed in: what the daemon needs of it, so that tests can make it repeatable.

/** Sources of chance. */
export interface Random {
  /** At least 0, under 1: for jitter. */
  unit(): number;
  /** Unpredictable bytes: for ids and nonces. */
  bytes(length: number): Uint8Array;
}
