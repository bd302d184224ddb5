import type { JSX } from "preact";
import { Link } from "wouter-preact";
import type { AuditEntry } from "../api/types.ts";
import { useApi } from "../api/use-api.ts";
import { Card } from "../components/layout.tsx";
import { Empty, Loaded } from "../components/states.tsx";
import { type Column, Table } from "../components/table.tsx";
import { Name, Time, Usd } from "../components/values.tsx";
import { NO_VALUE } from "../format/numbers.ts";
import { formatDuration } from "../format/times.ts";

const ROWS = 10;

/** The fields of a row of the ledger that the page of a key shows. */
interface LastRequest {
  readonly id: string;
  readonly started_at: string;
  readonly requested_model: string;
  readonly provider: string | null;
  readonly status: number | null;
  readonly outcome: string | null;
  readonly state: string;
  readonly cost_usd: string | null;
  readonly total_ms: number | null;
}

const REQUEST_COLUMNS: readonly Column<LastRequest>[] = [
  { id: "started_at", header: "Started", render: (row) => <Time at={row.started_at} /> },
  { id: "model", header: "Model", render: (row) => <Name text={row.requested_model} /> },
  { id: "provider", header: "Provider", render: ({ provider }) => <Name text={provider} /> },
  { id: "status", header: "Status", isNumber: true, render: ({ status }) => status ?? NO_VALUE },
  { id: "outcome", header: "Outcome", render: ({ outcome }) => outcome ?? "in flight" },
  { id: "duration", header: "Duration", isNumber: true, render: (row) => formatDuration(row.total_ms) },
  {
    id: "cost",
    header: "Cost",
    isNumber: true,
    render: (row) =>
      row.cost_usd === null ? <span class="muted">{row.state}</span> : <Usd usd={row.cost_usd} />,
  },
];

/** The last requests of a key. */
export function KeyRequests({ keyId }: { readonly keyId: string }): JSX.Element {
  const query = useApi<{ data: LastRequest[] }>("/requests", { key: keyId, order: "desc", limit: ROWS });
  const href = `/requests?key=${encodeURIComponent(keyId)}`;
  return (
    <Card title="Last requests" isFlush actions={<Link href={href}>All requests</Link>}>
      <Loaded query={query}>
        {({ data }) =>
          data.length === 0 ? (
            <Empty title="No request in the last 30 days" />
          ) : (
            <Table
              caption="Last requests"
              columns={REQUEST_COLUMNS}
              rows={data}
              toKey={({ id }) => id}
              toHref={({ id }) => `/requests/${encodeURIComponent(id)}`}
            />
          )
        }
      </Loaded>
    </Card>
  );
}

const AUDIT_COLUMNS: readonly Column<AuditEntry>[] = [
  { id: "at", header: "Time", render: ({ at }) => <Time at={at} /> },
  { id: "action", header: "Change", render: ({ action }) => action },
  {
    id: "details",
    header: "Fields",
    render: ({ details }) => <Name text={Object.keys(details).join(", ")} />,
  },
  { id: "actor", header: "By", render: ({ actor }) => <Name text={actor} /> },
  { id: "source", header: "From", render: ({ source }) => <Name text={source} /> },
];

/** The last changes of a key. */
export function KeyAudit({ keyId }: { readonly keyId: string }): JSX.Element {
  const query = useApi<{ data: AuditEntry[] }>("/audit", { key: keyId, limit: ROWS });
  return (
    <Card title="Changes" isFlush>
      <Loaded query={query}>
        {({ data }) =>
          data.length === 0 ? (
            <Empty title="No change recorded" />
          ) : (
            <Table caption="Changes of the key" columns={AUDIT_COLUMNS} rows={data} toKey={({ id }) => id} />
          )
        }
      </Loaded>
    </Card>
  );
}
