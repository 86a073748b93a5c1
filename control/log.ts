// The logger that every component of the control plane is given: pino's shape, so that tests can pass their own.

/** Structured, levelled, with a child per component. Messages are constant; values are fields. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Logger;
}
