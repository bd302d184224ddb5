// The types of the admin API's responses. The page imports only types from the gateway, so that the bundle has none of its code.
import type { output } from "zod";
import type { auditEntrySchema, issuedKeySchema, keySchema } from "../../../presentation/key-json.ts";
import type { budgetStatusSchema, groupSchema, limitsSchema } from "../../../presentation/limit-json.ts";
import type { usageReportSchema, UsageLineJson } from "../../../presentation/usage-report-format.ts";

export type Key = output<typeof keySchema>;
export type IssuedKey = output<typeof issuedKeySchema>;
export type Group = output<typeof groupSchema>;
export type Limits = output<typeof limitsSchema>;
export type BudgetStatus = output<typeof budgetStatusSchema>;
export type AuditEntry = output<typeof auditEntrySchema>;
export type UsageReport = output<typeof usageReportSchema>;
export type UsageLine = UsageLineJson;

/** The sums of one step or of a whole period in `/timeseries`. Counts from 2^53 are text. */
export interface SeriesSums {
  readonly requests: number | string;
  readonly failed_requests: number | string;
  readonly cancelled_requests: number | string;
  readonly unknown_requests: number | string;
  readonly prompt_tokens: number | string;
  readonly completion_tokens: number | string;
  /** Exact decimal digits. */
  readonly cost_usd: string;
  /** In ms. Null: no request. */
  readonly first_byte_ms: { readonly p50: number; readonly p95: number } | null;
  readonly duration_ms: { readonly p50: number; readonly p95: number } | null;
}

/** One group of a time series. */
export interface SeriesLine {
  readonly key_id?: string;
  readonly key_name?: string;
  readonly group_id?: string | null;
  readonly group_name?: string | null;
  readonly model?: string;
  readonly provider?: string;
  readonly endpoint?: string;
  readonly is_other: boolean;
  readonly total: SeriesSums;
  readonly points: readonly SeriesSums[];
}

/** The response of `/timeseries`. */
export interface TimeSeries {
  readonly from: string;
  readonly to: string;
  readonly step: "minute" | "hour" | "day";
  readonly times: readonly string[];
  readonly total: SeriesSums;
  readonly points: readonly SeriesSums[];
  readonly data: readonly SeriesLine[];
}

/** Failed requests of one kind in `/failures`. */
export interface FailureLine {
  readonly endpoint: string;
  readonly model: string | null;
  readonly provider: string | null;
  readonly status: number;
  readonly outcome: string;
  readonly requests: number;
  readonly last_at: string;
  readonly last_id: string;
}

/** The response of `/failures`. */
export interface FailureReport {
  readonly from: string;
  readonly to: string;
  readonly is_complete: boolean;
  readonly data: readonly FailureLine[];
}
