import type { JSX } from "preact";
import { Link } from "wouter-preact";
import type { SeriesLine, SeriesSums } from "../api/types.ts";
import { Button, Choices } from "../components/controls.tsx";
import { downloadCsv } from "../components/download.ts";
import { Card } from "../components/layout.tsx";
import { Empty } from "../components/states.tsx";
import { type Column, Table } from "../components/table.tsx";
import { Name, Usd } from "../components/values.tsx";
import { formatCompact, formatCount, formatShare } from "../format/numbers.ts";
import { formatDuration } from "../format/times.ts";
import { type DimensionInfo, DIMENSIONS, REST_ID, toLineId, toLineLabel } from "./dimensions.ts";
import { EndUsers } from "./end-users.tsx";
import { ShareBar } from "./share-bar.tsx";
import type { Filter } from "./use-filter.ts";

/** The breakdown by end user, which has sums of its own. */
const END_USER = "end_user";

interface BreakdownProps {
  readonly filter: Filter;
  readonly dimension: DimensionInfo;
  readonly lines: readonly SeriesLine[];
  readonly total: SeriesSums;
  readonly toColour: (id: string) => string;
}

/** The costs, requests and latencies of the period by one dimension. */
export function Breakdown({ filter, ...table }: BreakdownProps): JSX.Element {
  const isByEndUser = filter.by === END_USER;
  const { dimension, lines } = table;
  const options = [
    ...DIMENSIONS.map(({ id, plural }) => [id, plural] as const),
    [END_USER, "End users"] as const,
  ];
  return (
    <Card
      title="Breakdown"
      isFlush
      actions={
        <>
          <Choices
            label="Breakdown"
            value={isByEndUser ? END_USER : dimension.id}
            options={options}
            onChange={filter.setBy}
          />
          {!isByEndUser && (
            <Button size="small" kind="plain" onClick={() => downloadLines(dimension, lines)}>
              CSV
            </Button>
          )}
        </>
      }
    >
      {isByEndUser ? <EndUsers filter={filter} /> : <LineTable filter={filter} {...table} />}
    </Card>
  );
}

function LineTable({ filter, dimension, lines, total, toColour }: BreakdownProps): JSX.Element {
  if (lines.length === 0) return <Empty title="No requests in this period" />;
  return (
    <Table
      caption={`Breakdown by ${dimension.singular.toLowerCase()}`}
      columns={toColumns(filter, { dimension, total, toColour })}
      rows={lines}
      toKey={(line) => toLineId(line, dimension)}
      toHref={(line) => {
        const id = toLineId(line, dimension);
        return id === REST_ID || id === "" ? undefined : filter.toHref(dimension.id, id);
      }}
    />
  );
}

function number(id: string, header: string, render: Column<SeriesLine>["render"]): Column<SeriesLine> {
  return { id, header, isNumber: true, render };
}

function toColumns(
  filter: Filter,
  { dimension, total, toColour }: Pick<BreakdownProps, "dimension" | "total" | "toColour">,
): Column<SeriesLine>[] {
  return [
    {
      id: "name",
      header: dimension.singular,
      render: (line) => (
        <span class="line-name">
          <span class="swatch" style={{ color: `var(${toColour(toLineId(line, dimension))})` }} />
          <Name text={toLineLabel(line, dimension)} />
        </span>
      ),
    },
    {
      id: "share",
      header: "Share of spend",
      render: (line) => <ShareBar part={line.total.cost_usd} whole={total.cost_usd} />,
    },
    number("cost", "Spend", ({ total: { cost_usd: cost } }) => <Usd usd={cost} />),
    number("requests", "Requests", (line) => <RequestsLink line={line} {...{ dimension, filter }} />),
    number("failed", "Failed", (line) => <FailedCount sums={line.total} />),
    number("in", "Tokens in", ({ total: { prompt_tokens: tokens } }) => formatCompact(tokens)),
    number("out", "Tokens out", ({ total: { completion_tokens: tokens } }) => formatCompact(tokens)),
    number("first_byte", "First byte p95", (line) => formatDuration(line.total.first_byte_ms?.p95)),
    number("duration", "Duration p95", (line) => formatDuration(line.total.duration_ms?.p95)),
  ];
}

function FailedCount({ sums }: { sums: SeriesSums }): JSX.Element {
  if (Number(sums.failed_requests) === 0) return <span class="muted">0</span>;
  return (
    <>
      {formatCount(sums.failed_requests)}{" "}
      <span class="muted">({formatShare(sums.failed_requests, sums.requests)})</span>
    </>
  );
}

interface RequestsLinkProps extends Pick<BreakdownProps, "filter" | "dimension"> {
  readonly line: SeriesLine;
}

/** The number of requests of a line, which leads to these requests. */
function RequestsLink({ line, dimension, filter }: RequestsLinkProps): JSX.Element {
  const id = toLineId(line, dimension);
  const count = formatCount(line.total.requests);
  if (id === REST_ID || id === "") return <>{count}</>;
  return (
    <Link
      href={filter.toRequestsHref({ [dimension.id]: id })}
      aria-label={`${count}: show the requests of ${toLineLabel(line, dimension)}`}
    >
      {count}
    </Link>
  );
}

const SUM_NAMES = [
  "requests",
  "failed_requests",
  "cancelled_requests",
  "unknown_requests",
  "prompt_tokens",
  "completion_tokens",
  "cost_usd",
] as const;

function downloadLines(dimension: DimensionInfo, lines: readonly SeriesLine[]): void {
  downloadCsv(
    `sluice-by-${dimension.id}`,
    [dimension.id, "name", ...SUM_NAMES, "first_byte_ms_p95", "duration_ms_p95"],
    lines.map((line) => [
      line.is_other ? "" : toLineId(line, dimension),
      toLineLabel(line, dimension),
      ...SUM_NAMES.map((name) => line.total[name]),
      line.total.first_byte_ms?.p95 ?? null,
      line.total.duration_ms?.p95 ?? null,
    ]),
  );
}
