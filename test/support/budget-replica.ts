import { onTestFinished } from "vitest";
import type { CallerKey } from "../../src/auth/caller-key.ts";
import { BudgetAdmission } from "../../src/budgets/budget-admission.ts";
import type { Reservation } from "../../src/budgets/reservation.ts";
import { SqlBudgetStore } from "../../src/budgets/sql/sql-budget-store.ts";
import { type Budgets, type KeyLimits, NO_LIMITS, UNLIMITED } from "../../src/limits/limit-settings.ts";
import { readSpent } from "../../src/metering/sql/budget-changes.ts";
import { writeRequests } from "../../src/metering/sql/upsert.ts";
import type { RequestRow } from "../../src/metering/record.ts";
import { NO_ALIASES } from "../../src/request/model-aliases.ts";
import type { Database } from "../../src/store/database.ts";
import { createRequestRow } from "./request-row.ts";

/** Creates a key with budgets. */
export function createBudgetKey(budgets: Budgets, settings: Partial<KeyLimits> = {}): CallerKey {
  return {
    id: "key_1",
    name: "team",
    role: "caller",
    models: null,
    aliases: NO_ALIASES,
    onDisconnect: "cancel",
    ...UNLIMITED,
    limits: { ...NO_LIMITS, budgets },
    ...settings,
  };
}

export interface BudgetReplicaOptions {
  readonly database: Database;
  readonly instance: string;
  readonly databaseUrl?: string | undefined;
  readonly replicas?: number;
  readonly waitMs?: number;
  readonly now?: () => number;
}

/** A request that was admitted. */
export interface AdmittedRequest {
  readonly reservation: Reservation;
  /** Writes the row of the open request. */
  write(fields: Partial<RequestRow>): Promise<void>;
  /** Ends the request and writes its row. @param fields columns of the row, such as its state and cost. */
  end(fields: Partial<RequestRow>): Promise<void>;
}

/** One process that admits requests to budgets, without HTTP. */
export class BudgetReplica {
  readonly budgets: BudgetAdmission;
  readonly #options: BudgetReplicaOptions;
  #count = 0;

  constructor(options: BudgetReplicaOptions) {
    this.#options = options;
    const { database, databaseUrl, instance, replicas = 1, waitMs = 300, now } = options;
    this.budgets = new BudgetAdmission({
      store: new SqlBudgetStore({
        database,
        databaseUrl,
        instance,
        readSpent,
        countReplicas: () => Promise.resolve(replicas),
      }),
      waitMs,
      onFailure: () => {},
      ...(now && { now }),
    });
    onTestFinished(async () => void (await this.budgets.close()));
  }

  /** Admits a request. @throws the refusal. */
  async admit(key: CallerKey, worstCase: number, endUser?: string): Promise<AdmittedRequest> {
    const account = this.budgets.find(key, endUser);
    const reservation = account && (await this.budgets.admit(account, worstCase));
    if (!reservation) throw new Error("the key has no hard budget");
    const { database, instance } = this.#options;
    const open = createRequestRow(`${instance}-${this.#count++}`, {
      instance,
      key_id: key.id,
      group_id: key.group?.id ?? null,
      end_user: endUser ?? null,
      reserved_nanodollars: reservation.nanodollars,
      reserved_in: reservation.reservedIn,
      started_at: reservation.admittedAt,
    });
    return {
      reservation,
      async write(fields) {
        await writeRequests(database, [{ ...open, ...fields }]);
      },
      async end(fields) {
        reservation.end(fields.cost_nanodollars ?? undefined);
        await writeRequests(database, [{ ...open, ...fields }]);
        reservation.commit();
      },
    };
  }
}
