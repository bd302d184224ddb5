import { GatewayError } from "../errors.ts";
import { formatUsd } from "../money.ts";
import type { Allowance } from "./allowance.ts";
import { describeScope } from "./scopes.ts";

const SETTING_REMEDY = "ask the operator to raise the budget";
/** The start of the year 9999: a later time means that a key is blocked until the operator unblocks it. */
const ENDLESS_MS = Date.UTC(9999, 0);
const PERIOD_NAMES = { day: "daily", week: "weekly", month: "monthly", total: "total" } as const;

/** Creates the refusal of a request that does not fit in what is left of a budget. @param worstCase in nanodollars. */
export function createExceededError(allowance: Allowance, worstCase: number): GatewayError {
  return new GatewayError(
    "budget_exceeded",
    `${describe(allowance, worstCase)} Lower the maximum length of the response, or ${SETTING_REMEDY}.`,
  );
}

/** Creates the refusal of a request of a soft budget that is used up. */
export function createUsedUpError(allowance: Allowance): GatewayError {
  return new GatewayError(
    "budget_exceeded",
    `The ${describeBudget(allowance)} is used up${describeRenewal(allowance)}; ${SETTING_REMEDY}.`,
  );
}

/** Creates the refusal of a request for which there is no money until requests in flight end. */
export function createReservedError(allowance: Allowance, worstCase: number): GatewayError {
  return new GatewayError(
    "budget_reserved",
    `${describe(allowance, worstCase)} Requests in flight hold the rest of it; try again when they have ended.`,
  );
}

/** Creates the refusal of a key whose request cost more than was reserved for it. @param until ms since 1970. */
export function createBlockedError(until: number): GatewayError {
  return new GatewayError(
    "key_blocked",
    `A request of this key cost more than its reserved worst case, so the key is refused${describeEnd(until)}; ask the operator to unblock it.`,
  );
}

/** Creates the refusal when the database does not respond and this process has no leased money left. */
export function createUnavailableError(cause: unknown): GatewayError {
  return new GatewayError(
    "store_unavailable",
    "The budget of the request cannot be checked now; try again shortly.",
    {
      cause,
    },
  );
}

/** Creates the refusal when too many requests wait for money. */
export function createCrowdedError(): GatewayError {
  return new GatewayError(
    "budget_reserved",
    "Too many requests wait for money of budgets that requests in flight hold; try again shortly.",
  );
}

function describe(allowance: Allowance, worstCase: number): string {
  const left = Math.max(0, allowance.limit - allowance.spent - allowance.presumed);
  return `The request may cost up to ${formatDollars(worstCase)}, and ${formatDollars(left)} of the ${describeBudget(allowance)} is left${describeRenewal(allowance)}.`;
}

function describeBudget({ id, limit }: Allowance): string {
  return `${PERIOD_NAMES[id.period]} budget of ${formatDollars(limit)} of the ${describeScope(id.scope)}`;
}

function describeRenewal({ endsAt }: Allowance): string {
  return endsAt === Infinity ? "" : `; it renews at ${formatTime(endsAt)}`;
}

/** Describes the end of a block, unless the block has none because its budget never renews. */
function describeEnd(until: number): string {
  return until >= ENDLESS_MS ? "" : ` until ${formatTime(until)}`;
}

function formatTime(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}

/** Formats an amount without the zeros at its end, such as `$0.45`. */
function formatDollars(nanodollars: number): string {
  return `$${formatUsd(nanodollars).replace(/\.?0+$/, "")}`;
}
