// Options of the runtime with which each program is started, as control/package/runtime-options and daemon/package/runtime-options say: one line each, so that
// shell scripts read the same. The daemon's unit repeats its own, because systemd reads no such file.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

/** Options of the runtime for `starling control`, or for `starlingd`. */
export function runtimeOptions(program: 'control' | 'daemon'): readonly string[] {
  return readFileSync(resolve(root, program, 'package/runtime-options'), 'utf8').trim().split(' ');
}
