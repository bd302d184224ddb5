import { createSingleRun } from "../single-run.ts";

/** A check that takes longer has failed. Otherwise a database on a frozen machine would delay the response much longer. */
const CHECK_TIMEOUT_MS = 2_000;

/** Checks whether a component of the gateway works now. A check that throws or rejects has failed. */
export type HealthCheck = () => boolean | Promise<boolean>;

export interface HealthChecks {
  /** Checks of the components that every request needs, by name. */
  readonly required: Readonly<Record<string, HealthCheck>>;
  /** Checks of the components that may fail for a while without making requests fail, by name. */
  readonly optional: Readonly<Record<string, HealthCheck>>;
}

/** The result of one check. */
export interface ComponentState {
  readonly name: string;
  readonly isRequired: boolean;
  readonly works: boolean;
}

/** The health of the components of the gateway, for the readiness check and the metrics. */
export class ComponentHealth {
  readonly #checks: readonly (() => Promise<ComponentState>)[];

  constructor({ required, optional }: HealthChecks) {
    this.#checks = [...toChecks(required, true), ...toChecks(optional, false)];
  }

  /** Runs all checks at once. Takes at most two seconds, and never rejects. */
  async check(): Promise<readonly ComponentState[]> {
    return Promise.all(this.#checks.map((run) => run()));
  }
}

function toChecks(
  checks: Readonly<Record<string, HealthCheck>>,
  isRequired: boolean,
): (() => Promise<ComponentState>)[] {
  return Object.entries(checks).map(([name, check]) => {
    // A running check is not started again, because each run may take a database connection.
    const run = createSingleRun(check, CHECK_TIMEOUT_MS);
    return async () => ({ name, isRequired, works: await run().catch(() => false) });
  });
}
