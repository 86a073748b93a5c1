// How a revision is installed, started, checked and undone on a target (`deploy.yaml` inside the artifact).
// The schema is the one source: types, validation and documentation follow from it.

import Type, { type Static } from 'typebox';

const seconds = (description: string, fallback: number, maximum: number) =>
  Type.Number({ minimum: 0.05, maximum, default: fallback, description: `${description}, in seconds` });

const argv = Type.Array(Type.String({ minLength: 1, maxLength: 4096 }), { minItems: 1, maxItems: 64 });

/** One hook: a program inside the release, run without a shell (agent.md, section 1.2). */
export const HookSchema = Type.Object(
  {
    run: argv,
    timeoutSeconds: Type.Optional(seconds('how long it may run before its process group is killed', 300, 3600)),
  },
  { additionalProperties: false },
);
export type Hook = Static<typeof HookSchema>;

/** Hooks by lifecycle event, in the order in which they may run. */
export const HooksSchema = Type.Object(
  {
    preInstall: Type.Optional(Type.Array(HookSchema, { maxItems: 16 })),
    postInstall: Type.Optional(Type.Array(HookSchema, { maxItems: 16 })),
    preActivate: Type.Optional(Type.Array(HookSchema, { maxItems: 16 })),
    postActivate: Type.Optional(Type.Array(HookSchema, { maxItems: 16 })),
    healthCheck: Type.Optional(Type.Array(HookSchema, { maxItems: 16 })),
    postCommit: Type.Optional(Type.Array(HookSchema, { maxItems: 16 })),
    preRollback: Type.Optional(Type.Array(HookSchema, { maxItems: 16 })),
    postRollback: Type.Optional(Type.Array(HookSchema, { maxItems: 16 })),
    cleanup: Type.Optional(Type.Array(HookSchema, { maxItems: 16 })),
  },
  { additionalProperties: false },
);
export type Hooks = Static<typeof HooksSchema>;
export type LifecycleEvent = keyof Hooks;

/**
 * What runs the application. `process`: the daemon's built-in supervisor starts `command` in the release with the
 * instance's own port in `PORT`, and its front listens on the target's port for the application, so that the old version serves until the new
 * one is healthy. `systemd`: units that refer to `current`. `none`: nothing to run.
 */
export const ServiceSchema = Type.Union([
  Type.Object(
    {
      manager: Type.Literal('process'),
      command: argv,
      env: Type.Optional(Type.Record(Type.String({ pattern: '^[A-Z_][A-Z0-9_]*$' }), Type.String({ maxLength: 4096 }))),
      stopTimeoutSeconds: Type.Optional(seconds('between the polite signal and the kill', 10, 600)),
    },
    { additionalProperties: false },
  ),
  Type.Object(
    {
      manager: Type.Literal('systemd'),
      units: Type.Array(
        Type.Object(
          {
            name: Type.String({ pattern: '^[A-Za-z0-9:_.@-]{1,200}\\.(service|socket|timer|path|target)$' }),
            action: Type.Union([Type.Literal('restart'), Type.Literal('reload'), Type.Literal('reload-or-restart'), Type.Literal('none')]),
          },
          { additionalProperties: false },
        ),
        { minItems: 1, maxItems: 32 },
      ),
    },
    { additionalProperties: false },
  ),
  Type.Object({ manager: Type.Literal('none') }, { additionalProperties: false }),
]);
export type Service = Static<typeof ServiceSchema>;

/** One health check; all of them must pass within their own timeout. `${PORT}` in a URL is the instance's port. */
export const HealthCheckSchema = Type.Union([
  Type.Object(
    {
      kind: Type.Literal('http'),
      url: Type.String({ pattern: '^https?://', maxLength: 2048 }),
      status: Type.Optional(Type.Integer({ minimum: 100, maximum: 599, default: 200 })),
      intervalSeconds: Type.Optional(seconds('between two tries', 2, 600)),
      successes: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 3 })),
      timeoutSeconds: Type.Optional(seconds('until it counts as failed', 60, 3600)),
    },
    { additionalProperties: false },
  ),
  Type.Object(
    {
      kind: Type.Literal('active'),
      forSeconds: Type.Optional(seconds('with the same process and no restart', 10, 3600)),
      timeoutSeconds: Type.Optional(seconds('until it counts as failed', 60, 3600)),
    },
    { additionalProperties: false },
  ),
]);
export type HealthCheck = Static<typeof HealthCheckSchema>;

/** The whole of `deploy.yaml`. */
export const DeploySpecSchema = Type.Object(
  {
    apiVersion: Type.Literal('starling/v1'),
    kind: Type.Literal('DeploySpec'),
    install: Type.Object(
      {
        layout: Type.Literal('releases'),
        keepReleases: Type.Optional(Type.Integer({ minimum: 2, maximum: 100, default: 5 })),
        shared: Type.Optional(
          Type.Object(
            {
              directories: Type.Optional(Type.Array(Type.String({ maxLength: 1024 }), { maxItems: 64 })),
              files: Type.Optional(Type.Array(Type.String({ maxLength: 1024 }), { maxItems: 64 })),
            },
            { additionalProperties: false },
          ),
        ),
        links: Type.Optional(
          Type.Union([Type.Literal('auto'), Type.Literal('reflink'), Type.Literal('hardlink'), Type.Literal('copy')], { default: 'auto' }),
        ),
      },
      { additionalProperties: false },
    ),
    hooks: Type.Optional(HooksSchema),
    service: ServiceSchema,
    health: Type.Array(HealthCheckSchema, { maxItems: 16 }),
  },
  { additionalProperties: false, $id: 'DeploySpec' },
);
export type DeploySpec = Static<typeof DeploySpecSchema>;

/** What a tree without a `deploy.yaml` gets: it is put in place and nothing is run. */
export const defaultDeploySpec: DeploySpec = {
  apiVersion: 'starling/v1',
  kind: 'DeploySpec',
  install: { layout: 'releases' },
  service: { manager: 'none' },
  health: [],
};
