import type { JSX } from "preact";
import type { HealthJson } from "../../../admin/health-schema.ts";
import type { SeriesSums } from "../api/types.ts";
import { useApi } from "../api/use-api.ts";
import { Stat, Stats } from "../components/layout.tsx";
import { Usd } from "../components/values.tsx";
import { formatCompact, formatCount, formatShare, formatUsd, NO_VALUE } from "../format/numbers.ts";
import { formatDuration } from "../format/times.ts";
import { Change } from "./change.tsx";

interface SummaryProps {
  readonly total: SeriesSums;
  /** The sums of the previous period; undefined while they load. */
  readonly previous: SeriesSums | undefined;
}

/**
 * The most important numbers of the period, each with its change against the previous period.
 * @param than names the previous period, such as `previous 24 hours`.
 */
export function Summary({ than, ...sums }: SummaryProps & { readonly than: string }): JSX.Element {
  const { total, previous } = sums;
  const toHint = (name: "cost_usd" | "requests", format: (value: number) => string): JSX.Element => (
    <Change
      now={Number(total[name])}
      before={previous && Number(previous[name])}
      format={format}
      than={than}
    />
  );
  return (
    <Stats>
      <Stat label="Spend" hint={toHint("cost_usd", formatUsd)}>
        <Usd usd={total.cost_usd} />
      </Stat>
      <Stat label="Requests" hint={toHint("requests", formatCount)}>
        <span title={formatCount(total.requests)}>{formatCompact(total.requests)}</span>
      </Stat>
      <Rate label="Failed" name="failed_requests" {...sums} />
      <Rate label="Cancelled by clients" name="cancelled_requests" {...sums} />
      <Percentiles label="First byte, p95" name="first_byte_ms" {...sums} />
      <Percentiles label="Duration, p95" name="duration_ms" {...sums} />
      <Stat
        label="Tokens"
        hint={`${formatCompact(total.prompt_tokens)} in · ${formatCompact(total.completion_tokens)} out`}
      >
        {formatCompact(Number(total.prompt_tokens) + Number(total.completion_tokens))}
      </Stat>
      <InFlight />
    </Stats>
  );
}

interface RateProps extends SummaryProps {
  readonly label: string;
  readonly name: "failed_requests" | "cancelled_requests";
}

/** The share of requests with a result, and their number. */
function Rate({ label, name, total, previous }: RateProps): JSX.Element {
  const toRate = (sums: SeriesSums): number | null =>
    Number(sums.requests) === 0 ? null : Number(sums[name]) / Number(sums.requests);
  return (
    <Stat
      label={label}
      hint={
        <>
          {formatCount(total[name])} {Number(total[name]) === 1 ? "request" : "requests"}{" "}
          <Change
            now={toRate(total)}
            before={previous && toRate(previous)}
            isBad={name === "failed_requests"}
            format={(rate) => formatShare(rate, 1)}
          />
        </>
      }
    >
      {formatShare(total[name], total.requests)}
    </Stat>
  );
}

interface PercentilesProps extends SummaryProps {
  readonly label: string;
  readonly name: "first_byte_ms" | "duration_ms";
}

function Percentiles({ label, name, total, previous }: PercentilesProps): JSX.Element {
  const now = total[name];
  return (
    <Stat
      label={label}
      hint={
        now && (
          <>
            p50 {formatDuration(now.p50)}{" "}
            <Change now={now.p95} before={previous?.[name]?.p95} isBad format={formatDuration} />
          </>
        )
      }
    >
      {formatDuration(now?.p95)}
    </Stat>
  );
}

function InFlight(): JSX.Element {
  const { data } = useApi<HealthJson>("/health");
  const open = data?.ledger.open ?? null;
  return (
    <Stat label="In flight now" hint="all replicas, all keys">
      {open === null ? NO_VALUE : formatCount(open)}
    </Stat>
  );
}
