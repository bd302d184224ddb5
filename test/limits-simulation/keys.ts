import { newGroupSchema } from "../../src/keys/group-input.ts";
import { newKeySchema } from "../../src/keys/key-input.ts";
import type { KeyService } from "../../src/keys/key-service.ts";

/** Sizes of the requests of a key. */
export type RequestSize = "small" | "large";

/** A key of the simulation. Limits are in US dollars, as in the admin API. */
interface KeyPlan {
  readonly name: string;
  readonly group?: string;
  readonly budgets: Readonly<Record<string, BudgetPlan>>;
  /** Budgets of each of its end users. */
  readonly endUserBudgets?: Readonly<Record<string, BudgetPlan>>;
  /** A small request costs at most 2 % of $0.45. */
  readonly size: RequestSize;
  /** Share of the clients. */
  readonly weight: number;
}

interface BudgetPlan {
  readonly limit_usd: number;
  readonly mode?: "soft";
}

const DAY = { day: { limit_usd: 0.45 } };
export const GROUP_NAME = "team";
const GROUP_BUDGETS = { total: { limit_usd: 2 } };
export const END_USERS = ["ada", "grace", "linus", "dennis"] as const;
const SMALL = { size: "small", weight: 2 } as const;

/** The keys. Together, the keys of the group may spend more than the group. */
export const KEY_PLANS: readonly KeyPlan[] = [
  ...["single-1", "single-2", "single-3"].map((name) => ({ ...SMALL, name, budgets: DAY })),
  ...["team-1", "team-2", "team-3", "team-4", "team-5"].map((name) => ({
    ...SMALL,
    name,
    group: GROUP_NAME,
    budgets: DAY,
  })),
  {
    ...SMALL,
    name: "periods",
    budgets: {
      day: { limit_usd: 0.48 },
      week: { limit_usd: 0.47 },
      month: { limit_usd: 0.46 },
      total: { limit_usd: 0.45 },
    },
  },
  { ...SMALL, name: "users", budgets: DAY, endUserBudgets: { day: { limit_usd: 0.15 } } },
  { name: "large", budgets: DAY, size: "large", weight: 2 },
  { ...SMALL, name: "soft", budgets: { day: { limit_usd: 0.45, mode: "soft" } } },
  // Far from its limit: nearly no request asks the database for money.
  { ...SMALL, name: "rich", budgets: { day: { limit_usd: 1_000 } }, weight: 3 },
];

/** A key, a group or an end user with a budget, in one period. Money is in nanodollars. */
export interface Scope {
  /** The scope as in the tables of budgets. */
  readonly id: string;
  readonly label: string;
  /** The limits by period. */
  readonly limits: Readonly<Record<string, number>>;
  readonly isHard: boolean;
}

/** A key that was created from a plan. */
export interface SimulatedKey {
  readonly plan: KeyPlan;
  readonly id: string;
  readonly secret: string;
  /** Returns the scopes of a request. @param endUser the request's end user, if the key has end users. */
  findScopes(endUser: string | undefined): readonly Scope[];
}

/** Creates the group and the keys. */
export async function createKeys(service: KeyService): Promise<SimulatedKey[]> {
  const by = { actor: "cli", source: "simulation" };
  const input = newGroupSchema.parse({ name: GROUP_NAME, limits: { budgets: GROUP_BUDGETS } });
  const group = await service.groups.create(input, by);
  const groupScope = createScope(`group:${group.id}`, GROUP_NAME, GROUP_BUDGETS);
  const keys: SimulatedKey[] = [];
  for (const plan of KEY_PLANS) {
    const { name, budgets, endUserBudgets } = plan;
    const endUsers = endUserBudgets && { source: "user", budgets: endUserBudgets };
    const fields = { name, group: plan.group ?? null, limits: { budgets }, endUsers: endUsers ?? null };
    const { key, secret } = await service.create(newKeySchema.parse(fields), by);
    const own = [createScope(`key:${key.id}`, name, budgets), ...(plan.group ? [groupScope] : [])];
    const byEndUser = new Map(
      END_USERS.map((user) => [
        user as string,
        [
          ...own,
          ...(endUserBudgets
            ? [createScope(`end_user:${key.id}/${user}`, `${name}/${user}`, endUserBudgets)]
            : []),
        ],
      ]),
    );
    keys.push({ plan, id: key.id, secret, findScopes: (user) => byEndUser.get(user ?? "") ?? own });
  }
  return keys;
}

function createScope(id: string, label: string, budgets: Readonly<Record<string, BudgetPlan>>): Scope {
  const limits = Object.fromEntries(
    Object.entries(budgets).map(([period, { limit_usd: usd }]) => [period, Math.round(usd * 1e9)]),
  );
  return { id, label, limits, isHard: Object.values(budgets).every(({ mode }) => mode !== "soft") };
}
