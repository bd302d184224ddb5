import type { JSX } from "preact";
import type { FailureLine, FailureReport } from "../api/types.ts";
import { useApi } from "../api/use-api.ts";
import { Card } from "../components/layout.tsx";
import { FailureText } from "../components/result.tsx";
import { Empty, Loaded } from "../components/states.tsx";
import { type Column, Table } from "../components/table.tsx";
import { Age, Name, Time } from "../components/values.tsx";
import { formatCount } from "../format/numbers.ts";

const COLUMNS: readonly Column<FailureLine>[] = [
  {
    id: "error",
    header: "Failure",
    render: (line) => <FailureText line={line} />,
  },
  { id: "requests", header: "Requests", isNumber: true, render: ({ requests }) => formatCount(requests) },
  { id: "model", header: "Model", render: ({ model }) => <Name text={model} /> },
  { id: "provider", header: "Provider", render: ({ provider }) => <Name text={provider} /> },
  { id: "endpoint", header: "Endpoint", render: ({ endpoint }) => <Name text={endpoint} /> },
  { id: "last", header: "Last one", render: ({ last_at }) => <Age at={last_at} /> },
];

/** The failed requests of the last day, by kind, each with a link to the latest one. */
export function Failures(): JSX.Element {
  const query = useApi<FailureReport>("/failures");
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
