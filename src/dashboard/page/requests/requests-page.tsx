import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import { toApiUrl } from "../api/request.ts";
import type { LedgerPage, LedgerRow } from "../api/types.ts";
import { useApi } from "../api/use-api.ts";
import { Button, toButtonClass } from "../components/controls.tsx";
import { Card, Page } from "../components/layout.tsx";
import { Cost, Models, Result } from "../components/result.tsx";
import { Empty, Loaded, Notice } from "../components/states.tsx";
import { type Column, Table } from "../components/table.tsx";
import { Name, Time } from "../components/values.tsx";
import { formatCount } from "../format/numbers.ts";
import { formatDuration, formatTime } from "../format/times.ts";
import { FilterBar, useRequestFilters } from "./filters.tsx";
import { useSteadyRows } from "./use-steady-rows.ts";
import "../styles/requests.css";

const PAGE_ROWS = 50;

const COLUMNS: readonly Column<LedgerRow>[] = [
  { id: "time", header: "Time", render: ({ started_at: at }) => <Time at={at} /> },
  { id: "key", header: "Key", render: ({ key_name: name }) => <Name text={name} /> },
  { id: "model", header: "Model", render: (row) => <Models row={row} /> },
  { id: "provider", header: "Provider", render: ({ provider }) => <Name text={provider} /> },
  { id: "result", header: "Result", render: (row) => <Result {...row} /> },
  {
    id: "tokens",
    header: "Tokens",
    isNumber: true,
    render: (row) => `${formatCount(row.prompt_tokens)} → ${formatCount(row.completion_tokens)}`,
  },
  { id: "cost", header: "Cost", isNumber: true, render: (row) => <Cost row={row} /> },
  { id: "first", header: "First byte", isNumber: true, render: (row) => formatDuration(row.first_byte_ms) },
  { id: "duration", header: "Duration", isNumber: true, render: (row) => formatDuration(row.total_ms) },
  { id: "stream", header: "Stream", render: ({ stream }) => (stream ? "yes" : "no") },
];

/** The cursor of the page before each page that was opened by its cursor; undefined: the first page. */
const previousCursors = new Map<string, string | undefined>();

/** The requests of the ledger, newest first. */
export function RequestsPage(): JSX.Element {
  const { filters, params, setFilters, clearFilters, cursor, setCursor } = useRequestFilters();
  const query = { ...params, order: "desc", limit: PAGE_ROWS, cursor };
  const page = useApi<LedgerPage>("/requests", query, { isLive: cursor === undefined });
  const view = page.isPlaceholderData ? "" : JSON.stringify(query);
  const openOlder = (next: string): void => {
    previousCursors.set(next, cursor);
    setCursor(next);
  };
  const hasFilters = Object.keys(filters).length > 0;
  const csv = toApiUrl("/requests", { ...params, order: "desc", format: "csv" });
  return (
    <Page
      title="Requests"
      actions={
        <>
          {hasFilters && <Button onClick={clearFilters}>Clear filters</Button>}
          <a class={toButtonClass()} href={csv} download="requests.csv">
            Export CSV
          </a>
        </>
      }
    >
      <FilterBar filters={filters} onChange={setFilters} />
      <Card title="Newest requests first" isFlush>
        <Loaded query={page} lines={12}>
          {(data) => (
            <>
              <RequestRows latest={data} view={view} hasFilters={hasFilters} onContinue={openOlder} />
              <Pager cursor={cursor} next={data.next_cursor} onOlder={openOlder} onNewer={setCursor} />
            </>
          )}
        </Loaded>
      </Card>
    </Page>
  );
}

interface RequestRowsProps {
  readonly latest: LedgerPage;
  readonly view: string;
  readonly hasFilters: boolean;
  /** Continues the search at a cursor. */
  readonly onContinue: (cursor: string) => void;
}

function RequestRows({ latest, view, hasFilters, onContinue }: RequestRowsProps): JSX.Element {
  const region = useRef<HTMLDivElement>(null);
  const { page, newerCount, showNewer } = useSteadyRows(latest, view, region);
  const { data, searched_to: searchedTo, next_cursor: next } = page;
  return (
    <>
      <div class="newer-rows" role="status">
        {newerCount > 0 && (
          <Button size="small" onClick={showNewer}>
            Show {newerCount === PAGE_ROWS ? `${newerCount} or more` : newerCount} newer
          </Button>
        )}
      </div>
      <div ref={region} class="request-rows">
        {data.length > 0 && (
          <Table
            caption="Requests, newest first"
            columns={COLUMNS}
            rows={data}
            toKey={({ id }) => id}
            toHref={({ id }) => `/requests/${id}`}
          />
        )}
        {data.length === 0 && searchedTo === undefined && <NoRequests hasFilters={hasFilters} />}
      </div>
      {searchedTo !== undefined && next !== null && (
        <div class="card-body">
          <Notice>
            <span>
              Searched back to {formatTime(searchedTo)} and found {data.length}.
            </span>
            <Button size="small" onClick={() => onContinue(next)}>
              Continue the search
            </Button>
          </Notice>
        </div>
      )}
    </>
  );
}

function NoRequests({ hasFilters }: { hasFilters: boolean }): JSX.Element {
  return hasFilters ? (
    <Empty title="No request matches">Change or clear a filter, or choose a longer period.</Empty>
  ) : (
    <Empty title="No requests yet">Each request to a model appears here as soon as it has ended.</Empty>
  );
}

interface PagerProps {
  readonly cursor: string | undefined;
  readonly next: string | null;
  readonly onOlder: (cursor: string) => void;
  readonly onNewer: (cursor: string | undefined) => void;
}

function Pager({ cursor, next, onOlder, onNewer }: PagerProps): JSX.Element {
  const isFirst = cursor === undefined;
  return (
    <nav class="pager" aria-label="Pages of requests">
      <span>{isFirst ? "The newest page" : "An older page, which is not refreshed"}</span>
      <span class="row">
        <Button size="small" disabled={isFirst} onClick={() => onNewer(undefined)}>
          Newest
        </Button>
        <Button
          size="small"
          disabled={isFirst || !previousCursors.has(cursor)}
          onClick={() => onNewer(previousCursors.get(cursor ?? ""))}
        >
          Newer
        </Button>
        <Button size="small" disabled={next === null} onClick={() => next !== null && onOlder(next)}>
          Older
        </Button>
      </span>
    </nav>
  );
}
