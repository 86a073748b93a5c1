// `starling ui`: where the user interface is and which token signs in, and never the token.

import { expect, test } from 'vitest';
import { TestControl } from '../http/harness.ts';
import { run } from './world.ts';

test('CDS-20 ui says where the user interface is and which token signs in, and never the token', async () => {
  await using control = await TestControl.start();
  const ran = await run(['ui'], { environment: { STARLING_URL: control.url, STARLING_TOKEN: control.admin } });
  expect(ran).toMatchObject({ code: 0, out: `open ${control.url}/ in a browser and sign in with the token of the variable STARLING_TOKEN\n` });
  const page = await fetch(`${control.url}/`);
  expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
});
