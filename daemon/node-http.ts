// Node's HTTP by another door. `import 'node:http'` reads every name that it exports, among them `WebSocket`, for which Node loads its whole `fetch`, web
// streams and HTTP/2: 14 MiB in a bare process where this takes 4 (Node 24), and 3 of what an idle agent has resident.

import type * as Http from 'node:http';
import type * as Https from 'node:https';
import { createRequire } from 'node:module';

const load = createRequire(import.meta.url);

export const http: typeof Http = load('node:http');
export const https: typeof Https = load('node:https');
