// The API's description is generated from the operations table and kept in the repository, so that every change of it is seen.

import { expect, test } from 'vitest';
import { operations } from '../../../proto/api/operations.ts';
import { TestControl } from './harness.ts';

test('control/openapi.json is what the server says (after a deliberate change: vitest run test/control/http/openapi.test.ts --update)', async () => {
  await using control = await TestControl.start();
  const document = (await control.get('/v1/openapi.json')).body;
  await expect(`${JSON.stringify(document, undefined, 1)}\n`).toMatchFileSnapshot('../../../control/openapi.json');
});

test('it is OpenAPI 3.1, holds every operation once, and nothing of the fleet\'s side', async () => {
  await using control = await TestControl.start();
  const document = (await control.get('/v1/openapi.json')).body;
  expect(document.openapi).toBe('3.1.0');
  const described = Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods as Record<string, { operationId: string }>).map(([method, { operationId }]) => `${operationId} ${method.toUpperCase()} ${path}`));
  expect(described.toSorted(byText)).toEqual(Object.entries(operations).map(([id, { method, path }]) => `${id} ${method} ${path}`).toSorted(byText));
});

function byText(a: string, b: string): number {
  return a < b ? -1 : 1;
}
