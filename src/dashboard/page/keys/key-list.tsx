import type { JSX } from "preact";
import { useApi } from "../api/use-api.ts";
import { Button } from "../components/controls.tsx";
import { Card } from "../components/layout.tsx";
import { Badge, Empty, Loaded } from "../components/states.tsx";
import { type Column, Table } from "../components/table.tsx";
import { useUrlParams } from "../components/use-url-params.ts";
import { Age, Name, Usd } from "../components/values.tsx";
import { BudgetCell } from "./budget-bars.tsx";
import { saveKeys } from "./key-csv.ts";
import { FILTERS, KeyFilters } from "./key-filters.tsx";
import { findKeyState } from "./key-state.ts";
import type { Listed, ListedKey } from "./key-types.ts";
import { Pager } from "./pager.tsx";

const PAGE_KEYS = 50;

const COLUMNS: readonly Column<ListedKey>[] = [
  { id: "name", header: "Name", render: ({ name }) => <Name text={name} /> },
  { id: "state", header: "State", render: (row) => <KeyStateBadge apiKey={row} /> },
  {
    id: "budget",
    header: "Tightest budget",
    render: (row) => <BudgetCell budgets={row.current_budgets ?? []} />,
  },
  {
    id: "spend",
    header: "This month (UTC)",
    isNumber: true,
    render: (row) => <Usd usd={row.month_cost_usd} />,
  },
  { id: "group", header: "Group", render: ({ group }) => <Name text={group} /> },
  { id: "owner", header: "Owner", render: ({ owner }) => <Name text={owner} /> },
  { id: "role", header: "Role", render: ({ role }) => role },
  { id: "last_used", header: "Last used", render: (row) => <Age at={row.last_used_at} /> },
  { id: "prefix", header: "Secret", render: ({ prefix }) => <code class="nowrap">{prefix}…</code> },
];

/** The state of a key in one or two words. */
function KeyStateBadge({ apiKey }: { readonly apiKey: ListedKey }): JSX.Element {
  const { label, tone } = findKeyState(apiKey, Date.now());
  return <Badge tone={tone}>{label}</Badge>;
}

/** The keys of the database that match the filters. */
export function KeyList(): JSX.Element {
  const { params } = useUrlParams(FILTERS);
  const { search, group, revoked, model, after } = params;
  const query = useApi<Listed<ListedKey>>("/keys", {
    search,
    group,
    model,
    after,
    include_revoked: revoked,
    include_budgets: true,
    include_spend: true,
    limit: PAGE_KEYS,
  });
  const isFiltered = search !== undefined || group !== undefined || model !== undefined;
  const rows = query.data?.data ?? [];
  return (
    <>
      <KeyFilters />
      <Card
        title="Keys"
        isFlush
        actions={
          <Button size="small" disabled={rows.length === 0} onClick={() => saveKeys(rows)}>
            CSV
          </Button>
        }
      >
        <Loaded query={query} lines={8}>
          {({ data, next_after: nextAfter }) => (
            <>
              {data.length > 0 ? (
                <Table
                  caption="Keys"
                  columns={COLUMNS}
                  rows={data}
                  toKey={({ id }) => id}
                  toHref={({ id }) => `/keys/${encodeURIComponent(id)}`}
                />
              ) : (
                <NoKeys isFiltered={isFiltered} />
              )}
              <Pager shown={`${data.length} ${data.length === 1 ? "key" : "keys"}`} nextAfter={nextAfter} />
            </>
          )}
        </Loaded>
      </Card>
    </>
  );
}

function NoKeys({ isFiltered }: { readonly isFiltered: boolean }): JSX.Element {
  const { setParams } = useUrlParams(FILTERS);
  if (!isFiltered)
    return (
      <Empty title="No key">
        Create one key per application or person, so that reports show the cost of each.
      </Empty>
    );
  const clear = (): void => setParams(Object.fromEntries(FILTERS.map((name) => [name, undefined])));
  return (
    <Empty title="No key matches">
      <Button size="small" onClick={clear}>
        Clear the filters
      </Button>
    </Empty>
  );
}
