import type { JSX } from "preact";
import { useApi } from "../api/use-api.ts";
import type { UsageLine, UsageReport } from "../api/types.ts";
import { Card } from "../components/layout.tsx";
import { type Column, Table } from "../components/table.tsx";
import { Name, Usd } from "../components/values.tsx";
import { formatCount } from "../format/numbers.ts";

/** Lines of the report of this month that are searched for keys of the environment, those of the highest cost. */
const LINES_MAX = 200;

const COLUMNS: readonly Column<UsageLine>[] = [
  { id: "name", header: "Name", render: ({ key_name: name }) => <Name text={name} /> },
  {
    id: "requests",
    header: "Requests this month (UTC)",
    isNumber: true,
    render: ({ requests }) => formatCount(requests),
  },
  {
    id: "spend",
    header: "Spend this month (UTC)",
    isNumber: true,
    render: ({ cost_usd: usd }) => <Usd usd={usd} />,
  },
];

/** Keys of GATEWAY_API_KEYS that have been used this month. The database has no row for them, so only reports know them. */
export function EnvironmentKeys(): JSX.Element | null {
  const now = new Date();
  const from = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth())).toISOString();
  const { data } = useApi<UsageReport>("/usage", { by: "key", from, limit: LINES_MAX });
  const lines = data?.data.filter(({ key_id: id }) => id?.startsWith("env:")) ?? [];
  if (lines.length === 0) return null;
  return (
    <Card title="Keys of the configuration (GATEWAY_API_KEYS)" isFlush>
      <Table
        caption="Keys of the configuration"
        columns={COLUMNS}
        rows={lines}
        toKey={({ key_id: id }) => id ?? ""}
        toHref={({ key_id: id }) => `/requests?key=${encodeURIComponent(id ?? "")}`}
      />
    </Card>
  );
}
