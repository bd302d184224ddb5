import type { JSX } from "preact";
import { Link } from "wouter-preact";
import type { UsageLine, UsageReport } from "../api/types.ts";
import { useApi } from "../api/use-api.ts";
import { Button } from "../components/controls.tsx";
import { downloadCsv } from "../components/download.ts";
import { Empty, Loaded } from "../components/states.tsx";
import { type Column, Table } from "../components/table.tsx";
import { Name, Usd } from "../components/values.tsx";
import { formatCompact, formatCount } from "../format/numbers.ts";
import { STEP_MS, toIso } from "./period.ts";
import { ShareBar } from "./share-bar.tsx";
import type { Filter } from "./use-filter.ts";

const SHOWN_MAX = 10;

/** The end users with the highest cost. Their sums are daily, and have no model, provider and endpoint. */
export function EndUsers({ filter }: { filter: Filter }): JSX.Element {
  const { period, values } = filter;
  const from = Math.floor(period.from / STEP_MS.day) * STEP_MS.day;
  const to = Math.ceil(period.to / STEP_MS.day) * STEP_MS.day;
  const query = useApi<UsageReport>("/usage", {
    by: "end_user",
    from: toIso(from),
    to: toIso(to),
    key: values.key,
    limit: SHOWN_MAX,
  });
  const isFilterIgnored = [values.model, values.provider, values.endpoint, values.group].some(
    (value) => value !== undefined,
  );
  return (
    <Loaded query={query}>
      {({ data, total }) => (
        <>
          {data.length === 0 ? (
            <Empty title="No requests in these days" />
          ) : (
            <Table
              caption="Breakdown by end user"
              columns={toColumns(filter, total.cost_usd)}
              rows={data}
              toKey={({ end_user: name = "" }) => name}
            />
          )}
          <div class="pager">
            <span>
              The {SHOWN_MAX} end users of the highest spend, in whole days (UTC)
              {isFilterIgnored && "; of all models, providers, endpoints and groups"}.
            </span>
            <Button size="small" kind="plain" onClick={() => downloadUsers(data)}>
              CSV
            </Button>
          </div>
        </>
      )}
    </Loaded>
  );
}

function toColumns(filter: Filter, totalUsd: string): Column<UsageLine>[] {
  return [
    { id: "name", header: "End user", render: ({ end_user: name }) => <Name text={name || "(not named)"} /> },
    {
      id: "share",
      header: "Share of spend",
      render: ({ cost_usd: cost }) => <ShareBar part={cost} whole={totalUsd} />,
    },
    { id: "cost", header: "Spend", isNumber: true, render: ({ cost_usd: cost }) => <Usd usd={cost} /> },
    {
      id: "requests",
      header: "Requests",
      isNumber: true,
      render: ({ end_user: name, requests }) =>
        name ? (
          <Link
            href={filter.toRequestsHref({ end_user: name })}
            aria-label={`${formatCount(requests)}: show the requests of ${name}`}
          >
            {formatCount(requests)}
          </Link>
        ) : (
          formatCount(requests)
        ),
    },
    {
      id: "in",
      header: "Tokens in",
      isNumber: true,
      render: ({ prompt_tokens: tokens }) => formatCompact(tokens),
    },
    {
      id: "out",
      header: "Tokens out",
      isNumber: true,
      render: ({ completion_tokens: tokens }) => formatCompact(tokens),
    },
  ];
}

function downloadUsers(lines: readonly UsageLine[]): void {
  downloadCsv(
    "sluice-by-end-user",
    ["end_user", "requests", "prompt_tokens", "completion_tokens", "cost_usd"],
    lines.map((line) => [
      line.end_user ?? "",
      line.requests,
      line.prompt_tokens,
      line.completion_tokens,
      line.cost_usd,
    ]),
  );
}
