import { setTimeout as sleep } from "node:timers/promises";
import type { Postgres } from "../support/postgres.ts";
import type { Replica } from "../support/replica.ts";

/** Parts of the load after which a gateway is killed, and after which the database is restarted. */
const KILLS_AT = [0.1, 0.3, 0.6];
const DATABASE_RESTART_AT = 0.18;
const DATABASE_DOWN_MS = 3_000;
/** After the start of a gateway or of the database, connections and prices are available again within this time. */
const WARM_AFTER_MS = 5_000;

/** A time during which gateways may refuse requests because of a fault, in ms since 1970. */
export interface Outage {
  readonly from: number;
  until: number;
  /** The gateway; undefined: the database, which concerns all gateways. */
  readonly replica: Replica | undefined;
}

/** Kills gateways and the database during the load, one after another. */
export class Faults {
  readonly outages: Outage[] = [];
  readonly #replicas: readonly Replica[];
  readonly #postgres: Postgres | undefined;
  readonly #due: { readonly at: number; readonly run: () => Promise<void> }[];
  #runs: Promise<void> = Promise.resolve();
  kills = 0;

  /** @param total number of requests of the load. @param postgres undefined: SQLite, which is not restarted. */
  constructor(replicas: readonly Replica[], total: number, postgres: Postgres | undefined) {
    this.#replicas = replicas;
    this.#postgres = postgres;
    this.#due = KILLS_AT.map((part) => ({ at: part * total, run: () => this.#killGateway() }));
    if (postgres) this.#due.push({ at: DATABASE_RESTART_AT * total, run: () => this.#restartDatabase() });
    this.#due.sort((a, b) => a.at - b.at);
  }

  /** Starts the faults that are due. @param sent number of requests that were sent. */
  readonly onRequest = (sent: number): void => {
    while (this.#due[0] && sent >= this.#due[0].at) {
      const { run } = this.#due.shift() as { run: () => Promise<void> };
      this.#runs = this.#runs.then(run);
    }
  };

  /** Waits until everything runs again. @throws the error of a gateway or database that did not start. */
  async wait(): Promise<void> {
    await this.#runs;
  }

  /** Whether an outage overlaps a time, in ms since 1970. */
  overlaps(replica: Replica, from: number, until: number): boolean {
    return this.outages.some(
      (outage) =>
        (outage.replica === undefined || outage.replica === replica) &&
        outage.from <= until &&
        outage.until >= from,
    );
  }

  async #killGateway(): Promise<void> {
    const replica = this.#replicas[this.kills++ % this.#replicas.length] as Replica;
    const outage = this.#begin(replica);
    await replica.restart();
    outage.until = Date.now() + WARM_AFTER_MS;
  }

  async #restartDatabase(): Promise<void> {
    const outage = this.#begin(undefined);
    await this.#postgres?.kill();
    await sleep(DATABASE_DOWN_MS);
    await this.#postgres?.start();
    outage.until = Date.now() + WARM_AFTER_MS;
  }

  #begin(replica: Replica | undefined): Outage {
    const outage = { from: Date.now(), until: Infinity, replica };
    this.outages.push(outage);
    return outage;
  }
}
