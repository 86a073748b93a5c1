// What one row of the operations table says. The rows are operations.ts and the files named operations-*.ts.

import type { TSchema } from 'typebox';

export type Verb = 'read' | 'upload' | 'promote' | 'approve' | 'work' | 'admin';

/** One operation. */
export interface Operation {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With `{name}` for each parameter. */
  readonly path: string;
  /** One line for the OpenAPI document. */
  readonly summary: string;
  /**
   * What the caller's token must allow; `none` is for everybody. `of` says which resource: everything, or that of the request.
   * `subject` is the environment or the application that a lock, a freeze, a switch or a request for approval is about.
   */
  readonly scope: 'none' | { readonly verb: Verb; readonly of: 'all' | 'app' | 'environment' | 'subject' };
  readonly query?: TSchema;
  readonly body?: TSchema;
  /** Status of success. */
  readonly status: 200 | 201 | 202 | 204;
  /** Absent: no JSON body. */
  readonly reply?: TSchema;
  /** If-Match is demanded, with the ETag of a GET. */
  readonly ifMatch?: true;
}
