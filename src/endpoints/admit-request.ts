import type { FastifyReply, FastifyRequest } from "fastify";
import type { BudgetAccount } from "../budgets/budget-account.ts";
import type { BudgetAdmission } from "../budgets/budget-admission.ts";
import type { BudgetDecisions } from "../budgets/budget-decisions.ts";
import type { BudgetedKey } from "../budgets/definitions.ts";
import type { Reservation } from "../budgets/reservation.ts";
import { GatewayError } from "../errors.ts";
import { estimateTokens } from "../limits/token-estimate.ts";
import type { WorstCase } from "../pricing/worst-case.ts";
import type { AccountBalance } from "../upstream/account-balance.ts";
import type { WorstCaseFinder, WorstCaseRequest } from "./worst-case.ts";

/** The limits that apply after the body has been validated. */
export interface AdmissionOptions {
  /** The money of the account; undefined: it is not polled. */
  readonly account: AccountBalance | undefined;
  /** undefined without a database, and so without keys that have budgets. */
  readonly budgets: BudgetAdmission | undefined;
  readonly worstCases: WorstCaseFinder;
}

/** A validated request. */
export interface ValidRequest extends WorstCaseRequest {
  readonly forwardedModel: string | undefined;
}

type MaybeReservation = Reservation | undefined;

/**
 * Admits a request to the limits on money and tokens, before it is recorded and sent.
 * @returns the money that budgets hold for the request, if it has hard budgets; a promise if the request has to wait.
 * @throws GatewayError the refusal of the first limit; also as a rejection.
 */
export function admitRequest(
  request: FastifyRequest,
  reply: FastifyReply,
  call: ValidRequest,
  options: AdmissionOptions,
): MaybeReservation | Promise<MaybeReservation> {
  const exhausted = options.account?.refusal(call.forwardedModel);
  if (exhausted) throw exhausted;
  const { context } = request;
  const reserve = () => reserveBudget(request, call, options);
  if (!context.limitHold?.limitsTokens) return reserve();
  const estimate = estimateTokens(call.body, call.fields);
  return context.limitHold.admitTokens(context, reply, estimate).then(reserve);
}

function reserveBudget(
  { caller: { key }, context: { endUser } }: FastifyRequest,
  call: ValidRequest,
  { budgets, worstCases }: AdmissionOptions,
): MaybeReservation | Promise<MaybeReservation> {
  if (!key || !budgets) return undefined;
  const account = budgets.find(key, endUser);
  if (!account) return undefined;
  // Soft budgets do not depend on the cost of the request.
  if (account.hard.length === 0) return budgets.admit(account, 0);
  const worstCase = worstCases.findWorstCase(call);
  if (worstCase instanceof Promise) return reserveLater(budgets, { account, key }, worstCase);
  return budgets.admit(account, toReservedAmount(worstCase, key, budgets.decisions));
}

async function reserveLater(
  budgets: BudgetAdmission,
  { account, key }: { readonly account: BudgetAccount; readonly key: BudgetedKey },
  worstCase: Promise<WorstCase>,
): Promise<MaybeReservation> {
  return budgets.admit(account, toReservedAmount(await worstCase, key, budgets.decisions));
}

/** Time in s after which the catalog of models retries a failed fetch. */
const PRICES_RETRY_S = 10;

/**
 * Returns the amount to reserve in nanodollars. A fixed reservation does not replace the part of the cost that has a bound:
 * otherwise a client could lower the reservation of a dear request by an unknown field.
 * @throws GatewayError unbounded_cost, or upstream_unreachable without prices.
 */
function toReservedAmount(
  { nanodollars, boundedNanodollars, unbounded }: WorstCase,
  { unboundedReservationNanodollars: fixed }: BudgetedKey,
  decisions: BudgetDecisions,
): number {
  if (nanodollars !== null) return nanodollars;
  const avoidable = unbounded.find(({ isAvoidable }) => isAvoidable);
  if (fixed !== null && !avoidable) return Math.max(fixed, boundedNanodollars);
  const reason = avoidable ?? unbounded[0];
  if (reason?.isTemporary)
    throw decisions.refuse(
      new GatewayError("upstream_unreachable", `The key has a hard budget. ${reason.note}`, {
        headers: { "retry-after": String(PRICES_RETRY_S) },
      }),
    );
  throw decisions.refuse(
    new GatewayError(
      "unbounded_cost",
      `The key has a hard budget, and the cost of the request has no upper bound. ${reason?.note ?? ""}`,
      { param: reason?.param },
    ),
  );
}
