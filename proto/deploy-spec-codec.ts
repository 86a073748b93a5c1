// From an unknown value to a deploy spec. The schema is in deploy-spec.ts; reading YAML is elsewhere.

import { Compile } from 'typebox/compile';
import { type DeploySpec, DeploySpecSchema } from './deploy-spec.ts';
import { ProtocolError } from './errors.ts';
import { limits } from './limits.ts';
import { quoted } from './path.ts';

const validator = Compile(DeploySpecSchema);
const problemsShownMax = 8;

/**
 * The value as a deploy spec, as it is: what it leaves out stays out.
 * @throws {ProtocolError} MALFORMED with each place that breaks the schema, TOO_LARGE above {@link limits}' `specBytesMax`.
 */
export function parseDeploySpec(value: unknown): DeploySpec {
  if (!validator.Check(value)) {
    throw new ProtocolError('MALFORMED', `the deploy spec is not valid: ${problemsOf(value)}`);
  }
  const bytes = Buffer.byteLength(JSON.stringify(value));
  if (bytes > limits.specBytesMax) {
    throw new ProtocolError('TOO_LARGE', `the deploy spec has ${bytes} bytes as JSON; at most ${limits.specBytesMax} are allowed`);
  }
  return value;
}

function problemsOf(value: unknown): string {
  const problems = validator
    .Errors(value)
    // 'boolean' only repeats, for the property itself, what 'additionalProperties' says of the object that has it.
    .filter(({ keyword }) => keyword !== 'boolean')
    .map((error) => {
      const extra = error.keyword === 'additionalProperties' ? `: ${error.params.additionalProperties.map(quoted).join(', ')}` : '';
      return `${quoted(error.instancePath || '/')} ${error.message}${extra}`;
    });
  return [...new Set(problems)].slice(0, problemsShownMax).join('; ');
}
