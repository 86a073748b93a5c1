// One question to a control plane's API, as its administrator. What fleets ask is theirs.

import { readFile } from 'node:fs/promises';

/** The answer, parsed; undefined when it is empty. @throws {Error} with the answer's text when it is a refusal. */
export async function askControl(url: string, tokenFile: string, method: string, path: string, body?: object): Promise<unknown> {
  const token = (await readFile(tokenFile, 'utf8')).trim();
  const response = await fetch(new URL(path, url), {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    signal: AbortSignal.timeout(30_000),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}
