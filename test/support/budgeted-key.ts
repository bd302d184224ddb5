import type { KeyedGateway } from "./keyed-gateway.ts";
import { waitUntil } from "./wait.ts";

/** The current period of a budget, in nanodollars. */
export interface BudgetAmounts {
  readonly spent: number;
  readonly presumed: number;
  readonly reserved: number;
}

/** A gateway key whose requests have a hard budget per day. */
export interface BudgetedKey {
  readonly id: string;
  readonly secret: string;
  readonly readBudget: () => Promise<BudgetAmounts>;
  /** Waits until no request holds money of the budget, and no cost is presumed. */
  readonly waitUntilSettled: () => Promise<BudgetAmounts>;
}

const toNanodollars = (usd: unknown): number => Math.round(Number(usd) * 1e9);

/** Reads the first budget at a path of the admin API, such as `/groups/team`. */
export async function readBudget(gateway: KeyedGateway, path: string): Promise<BudgetAmounts> {
  const { body } = await gateway.callAdmin("GET", `${path}/budgets`);
  const { spent_usd, presumed_usd, reserved_usd } = body.data[0];
  return {
    spent: toNanodollars(spent_usd),
    presumed: toNanodollars(presumed_usd),
    reserved: toNanodollars(reserved_usd),
  };
}

/** Creates a key with a hard budget per day. @param fields further settings of the key. */
export async function createBudgetedKey(
  gateway: KeyedGateway,
  limitUsd: number,
  fields: object = {},
): Promise<BudgetedKey> {
  const { status, body } = await gateway.callAdmin("POST", "/keys", {
    name: "hostile",
    limits: { budgets: { day: { limit_usd: limitUsd } } },
    ...fields,
  });
  if (status !== 201) throw new Error(`the key was not created: ${JSON.stringify(body)}`);
  const { id, secret } = body as { id: string; secret: string };
  const read = async () => readBudget(gateway, `/keys/${id}`);
  const waitUntilSettled = async () =>
    waitUntil(async () => {
      const budget = await read();
      return budget.reserved === 0 && budget.presumed === 0 ? budget : undefined;
    }, "all costs to be settled");
  return { id, secret, readBudget: read, waitUntilSettled };
}
