import type { JSX } from "preact";
import { Link } from "wouter-preact";
import type { AuditEntry, LedgerPage, LedgerRow } from "../api/types.ts";
import { useApi } from "../api/use-api.ts";
import { Card } from "../components/layout.tsx";
import { Cost, Models, Result } from "../components/result.tsx";
import { Empty, Loaded } from "../components/states.tsx";
import { type Column, Table } from "../components/table.tsx";
import { Name, Time } from "../components/values.tsx";
import { formatDuration } from "../format/times.ts";

const ROWS = 10;

const REQUEST_COLUMNS: readonly Column<LedgerRow>[] = [
  { id: "started_at", header: "Started", render: (row) => <Time at={row.started_at} /> },
  { id: "model", header: "Model", render: (row) => <Models row={row} /> },
  {
    id: "provider",
    header: "Provider",
    isSecondary: true,
    render: ({ provider }) => <Name text={provider} />,
  },
  { id: "result", header: "Result", render: (row) => <Result {...row} /> },
  { id: "duration", header: "Duration", isNumber: true, render: (row) => formatDuration(row.total_ms) },
  { id: "cost", header: "Cost", isNumber: true, render: (row) => <Cost row={row} /> },
];

/** The last requests of a key. */
export function KeyRequests({ keyId }: { readonly keyId: string }): JSX.Element {
  const query = useApi<LedgerPage>("/requests", { key: keyId, order: "desc", limit: ROWS });
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
  { id: "action", header: "Change", render: ({ action }) => action.replaceAll("_", " ") },
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
