// The types of the admin API's responses. The page imports only types from the gateway, so that the bundle has none of its code.
import type { output } from "zod";
import type { failuresSchema } from "../../../admin/series-routes.ts";
import type { auditEntrySchema, issuedKeySchema, keySchema } from "../../../presentation/key-json.ts";
import type { budgetStatusSchema, groupSchema, limitsSchema } from "../../../presentation/limit-json.ts";
import type { RequestJson, RequestPageJson, RequestRecordJson } from "../../../presentation/request-json.ts";
import type { timeSeriesSchema } from "../../../presentation/time-series-format.ts";
import type { usageReportSchema, UsageLineJson } from "../../../presentation/usage-report-format.ts";

export type Key = output<typeof keySchema>;
export type IssuedKey = output<typeof issuedKeySchema>;
export type Group = output<typeof groupSchema>;
export type Limits = output<typeof limitsSchema>;
export type BudgetStatus = output<typeof budgetStatusSchema>;
export type AuditEntry = output<typeof auditEntrySchema>;
export type UsageReport = output<typeof usageReportSchema>;
export type UsageLine = UsageLineJson;
export type TimeSeries = output<typeof timeSeriesSchema>;
export type SeriesLine = TimeSeries["data"][number];
export type SeriesSums = TimeSeries["total"];
export type FailureReport = output<typeof failuresSchema>;
export type FailureLine = FailureReport["data"][number];
export type LedgerRow = RequestJson;
export type LedgerPage = RequestPageJson;
export type LedgerRecord = RequestRecordJson;
