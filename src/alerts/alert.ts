import { createHash } from "node:crypto";
import type { BudgetPeriod } from "../limits/limit-settings.ts";
import { formatUsd } from "../money.ts";

/** An event that the operator should know of. */
export interface Alert {
  /** The same in every process, so that all replicas together store and send the alert once. See {@link toAlertId}. */
  readonly id: string;
  readonly type: AlertType;
  readonly data: AlertData[AlertType];
}

/** The data of each type of alert, as its JSON. Amounts are exact US dollars as text, times are ISO 8601 in UTC. */
export interface AlertData {
  /** A budget is used up to a percentage. */
  readonly budget_threshold: BudgetThresholdData;
  /** A request cost more than was reserved for it. */
  readonly cost_above_reservation: CostAboveReservationData;
  /** The cost of a request will never be known. */
  readonly unknown_cost: UnknownCostData;
  /** Less money is left at OpenRouter than the operator configured. */
  readonly low_account_credit: LowAccountCreditData;
}

export type AlertType = keyof AlertData;

/** The percentages of a budget at which an alert is sent. */
export const BUDGET_THRESHOLDS = [50, 80, 100] as const;
export type BudgetThresholdPercent = (typeof BUDGET_THRESHOLDS)[number];

export interface BudgetThresholdData {
  readonly scope: "key" | "group" | "end_user";
  /** Id of the key or group; for an end user, the name. */
  readonly scope_id: string;
  readonly scope_name: string;
  /** The key of the end user; null for other scopes. */
  readonly key_id: string | null;
  readonly period: BudgetPeriod;
  readonly starts_at: string;
  /** null if the budget never renews. */
  readonly renews_at: string | null;
  readonly limit_usd: string;
  readonly spent_usd: string;
  readonly percent: BudgetThresholdPercent;
}

export interface CostAboveReservationData {
  /** Id of the record in the ledger. */
  readonly record_id: string;
  readonly request_id: string;
  readonly key_id: string;
  readonly key_name: string;
  readonly reserved_usd: string;
  readonly cost_usd: string;
}

export interface UnknownCostData {
  readonly key_id: string;
  readonly key_name: string;
  /** The hour in which the requests started. Later requests of the hour with unknown costs cause no alert. */
  readonly hour: string;
  /** The first such request of the hour. */
  readonly record_id: string;
  readonly request_id: string;
}

export interface LowAccountCreditData {
  /** The limit of the gateway's key at OpenRouter, or the credits of the account. */
  readonly source: "key_limit" | "account_credits";
  readonly remaining_usd: string;
  /** The value of `ACCOUNT_LOW_USD`. */
  readonly threshold_usd: string;
}

/** A budget that has reached a percentage. */
export interface BudgetThreshold {
  readonly scope: BudgetThresholdData["scope"];
  /** Id of the key or group; for an end user, the name. */
  readonly scopeId: string;
  readonly scopeName: string;
  /** The key of an end user; undefined for other scopes. */
  readonly keyId?: string | undefined;
  readonly period: BudgetPeriod;
  /** ms since 1970. */
  readonly startsAt: number;
  /** ms since 1970; Infinity if the budget never renews. */
  readonly endsAt: number;
  readonly limitNanodollars: number;
  readonly spentNanodollars: number;
  readonly percent: BudgetThresholdPercent;
}

/**
 * Creates the alert for a budget that has reached a percentage. A budget causes the alert once per period, and again if its
 * limit changes.
 */
export function createBudgetAlert(threshold: BudgetThreshold): Alert {
  const { scope, scopeId, keyId, period, startsAt, endsAt, limitNanodollars, percent } = threshold;
  // Ids are logged and sent as a header, so they do not contain the name of an end user, which can be an e-mail address.
  const owner = keyId === undefined ? scopeId : `${keyId}/${digest(scopeId).slice(0, NAME_DIGEST_CHARS)}`;
  return {
    id: toAlertId("budget_threshold", scope, owner, period, startsAt, limitNanodollars, percent),
    type: "budget_threshold",
    data: {
      scope,
      scope_id: scopeId,
      scope_name: threshold.scopeName,
      key_id: keyId ?? null,
      period,
      starts_at: toIsoTime(startsAt),
      renews_at: Number.isFinite(endsAt) ? toIsoTime(endsAt) : null,
      limit_usd: formatUsd(limitNanodollars),
      spent_usd: formatUsd(threshold.spentNanodollars),
      percent,
    },
  };
}

/** The fields of a record that alerts contain. */
export interface AlertedRecord {
  readonly id: string;
  readonly request_id: string;
  readonly key_id: string;
  readonly key_name: string;
}

/** Creates the alert for a request that cost more than was reserved for it. */
export function createCostAlert(
  record: AlertedRecord,
  amounts: { readonly reservedNanodollars: number; readonly costNanodollars: number },
): Alert {
  return {
    id: toAlertId("cost_above_reservation", record.id),
    type: "cost_above_reservation",
    data: {
      record_id: record.id,
      request_id: record.request_id,
      key_id: record.key_id,
      key_name: record.key_name,
      reserved_usd: formatUsd(amounts.reservedNanodollars),
      cost_usd: formatUsd(amounts.costNanodollars),
    },
  };
}

/** Creates the alert for a request whose cost will never be known: at most one per key and hour. @param hour ms since 1970. */
export function createUnknownCostAlert(record: AlertedRecord, hour: number): Alert {
  return {
    id: toAlertId("unknown_cost", "key", record.key_id, hour),
    type: "unknown_cost",
    data: {
      key_id: record.key_id,
      key_name: record.key_name,
      hour: toIsoTime(hour),
      record_id: record.id,
      request_id: record.request_id,
    },
  };
}

/** A balance at OpenRouter that is below the configured amount. */
export interface LowCredit {
  readonly source: LowAccountCreditData["source"];
  readonly remainingNanodollars: number;
  readonly lowNanodollars: number;
  /** ms since 1970. */
  readonly now: number;
}

/** Creates the alert for a low balance at OpenRouter: at most one per balance and day (UTC), for all replicas together. */
export function createCreditAlert({ source, remainingNanodollars, lowNanodollars, now }: LowCredit): Alert {
  return {
    id: toAlertId("low_account_credit", source, toIsoTime(now).slice(0, 10)),
    type: "low_account_credit",
    data: {
      source,
      remaining_usd: formatUsd(remainingNanodollars),
      threshold_usd: formatUsd(lowNanodollars),
    },
  };
}

const NAME_DIGEST_CHARS = 32;
const ID_MAX_CHARS = 200;

/**
 * Joins the parts of an alert's id. The id is a header value and part of the signed text, whose parts are separated by full
 * stops. Therefore, other characters than letters, digits, `_`, `-`, `:`, `/` and `@` are percent-encoded, and an id that
 * would be too long ends with a digest.
 */
export function toAlertId(...parts: readonly (string | number)[]): string {
  const id = parts
    .join(":")
    .replaceAll(/[^\w:/@-]/gu, (character) =>
      encodeURIComponent(character.toWellFormed()).replace(".", "%2E"),
    );
  if (id.length <= ID_MAX_CHARS) return id;
  return `${id.slice(0, ID_MAX_CHARS / 2)}-${digest(id)}`;
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function toIsoTime(ms: number): string {
  return new Date(ms).toISOString();
}
