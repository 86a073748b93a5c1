// Reports as the schema checked them, with the phase in the type that the rest of the program knows: the schema's union of words
// is built from a list, so that its static type has forgotten which words they are.

import type { Static } from 'typebox';
import type { Report, ReportsRequestSchema, SyncRequest, SyncRequestSchema } from '../../proto/fleet.ts';

export function decodeReports({ reports }: Static<typeof ReportsRequestSchema>): readonly Report[] {
  return reports as readonly Report[];
}

export function decodeSync(request: Static<typeof SyncRequestSchema>): SyncRequest {
  return request as SyncRequest;
}
