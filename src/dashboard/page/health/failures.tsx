import type { JSX } from "preact";
import { useApi } from "../api/use-api.ts";
import { Card } from "../components/layout.tsx";
import { Badge, Empty, Loaded } from "../components/states.tsx";
import { type Column, Table } from "../components/table.tsx";
import { Age, Name, Time } from "../components/values.tsx";
import { formatCount } from "../format/numbers.ts";

/** Failed requests of one kind: a line of `GET /admin/v1/failures`. */
interface Failure {
  readonly endpoint: string | null;
  readonly model: string | null;
  readonly provider: string | null;
  readonly status: number | null;
  readonly outcome: string | null;
  readonly requests: number;
  readonly last_at: string;
  readonly last_id: string;
}

interface FailuresJson {
  readonly from: string;
  readonly is_complete: boolean;
  readonly data: readonly Failure[];
}

const COLUMNS: readonly Column<Failure>[] = [
  {
    id: "error",
    header: "Failure",
    render: (failure) => <Badge tone="bad">{describeFailure(failure)}</Badge>,
  },
  { id: "requests", header: "Requests", isNumber: true, render: ({ requests }) => formatCount(requests) },
  { id: "model", header: "Model", render: ({ model }) => <Name text={model} /> },
  { id: "provider", header: "Provider", render: ({ provider }) => <Name text={provider} /> },
  { id: "endpoint", header: "Endpoint", render: ({ endpoint }) => <Name text={endpoint} /> },
  { id: "last", header: "Last one", render: ({ last_at }) => <Age at={last_at} /> },
];

const OUTCOMES: Readonly<Record<string, string>> = {
  complete: "error response",
  upstream_error: "aborted by upstream",
  client_gone: "client disconnected",
  rejected: "refused by the gateway",
  interrupted: "replica stopped",
};

function describeFailure({ status, outcome }: Pick<Failure, "status" | "outcome">): string {
  const words = outcome === null ? "failed" : (OUTCOMES[outcome] ?? outcome);
  return status === null ? words : `${status} · ${words}`;
}

/** The failed requests of the last day, by kind, each with a link to the latest one. */
export function Failures(): JSX.Element {
  const query = useApi<FailuresJson>("/failures");
  return (
    <Card title="Failed requests of the last 24 hours, all replicas" isFlush>
      <Loaded query={query}>
        {({ data, from, is_complete }) => (
          <>
            {data.length === 0 ? (
              <Empty title="No request failed">Requests that clients cancelled do not count.</Empty>
            ) : (
              <Table
                caption="Failed requests by kind"
                columns={COLUMNS}
                rows={data}
                toKey={({ endpoint, model, provider, status, outcome }) =>
                  JSON.stringify([endpoint, model, provider, status, outcome])
                }
                toHref={({ last_id }) => `/requests/${encodeURIComponent(last_id)}`}
              />
            )}
            {!is_complete && (
              <p class="card-body muted small">
                There are too many requests to read all of them: these are since <Time at={from} />.
              </p>
            )}
          </>
        )}
      </Loaded>
    </Card>
  );
}
