import type { Kysely } from "kysely";
import type { Database, Tables } from "../../src/store/database.ts";

/** When a call to the database fails: `before` it has any effect, or `after` it was committed, so that only its reply is lost. */
export type Fault = "before" | "after";

/** A database as one process sees it: calls can fail, or the process can lose its connection. */
export class FaultyDatabase {
  readonly database: Database;
  /** Whether every call fails. */
  isCut = false;
  /** The faults of the next transactions. */
  readonly faults: Fault[] = [];

  constructor(real: Database) {
    const kysely = new Proxy(real.kysely, {
      get: (target, name) => {
        if (name === "transaction") return () => this.#createTransaction(target);
        this.#failIfCut();
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    this.database = { ...real, kysely, reader: kysely, reports: kysely };
  }

  #failIfCut(): void {
    if (this.isCut) throw new Error("the database is not reachable");
  }

  #createTransaction(kysely: Kysely<Tables>) {
    return {
      execute: async <T>(run: (transaction: Kysely<Tables>) => Promise<T>): Promise<T> => {
        this.#failIfCut();
        const fault = this.faults.shift();
        if (fault === "before") throw new Error("the transaction was not executed");
        const result = await kysely.transaction().execute(run);
        if (fault === "after") throw new Error("the reply of the transaction was lost");
        return result;
      },
    };
  }
}
