import type { JSX } from "preact";
import type { HealthJson } from "../../../admin/health-schema.ts";
import { Card } from "../components/layout.tsx";
import { Badge, Empty } from "../components/states.tsx";
import { type Column, Table } from "../components/table.tsx";
import { Age } from "../components/values.tsx";

type Instance = NonNullable<HealthJson["instances"]>[number];

const COLUMNS: readonly Column<Instance>[] = [
  {
    id: "id",
    header: "Replica",
    render: ({ id, is_responding }) => (
      <span class="row">
        <code>{id}</code>
        {is_responding && <Badge tone="accent">this one</Badge>}
      </span>
    ),
  },
  { id: "started", header: "Started", render: ({ started_at }) => <Age at={started_at} /> },
  { id: "seen", header: "Last heartbeat", render: ({ seen_at }) => <Age at={seen_at} /> },
  {
    id: "state",
    header: "State",
    render: ({ is_alive }) =>
      is_alive ? <Badge tone="good">alive</Badge> : <Badge tone="warning">silent</Badge>,
  },
];

/** All processes that use the database, and the versions of this one. */
export function Replicas({ health: { instances, gateway } }: { health: HealthJson }): JSX.Element {
  return (
    <Card title="Replicas of this database" isFlush>
      {instances === null ? (
        <Empty title="Unknown">The database does not respond.</Empty>
      ) : (
        <Table caption="Replicas" columns={COLUMNS} rows={instances} toKey={({ id }) => id} />
      )}
      <p class="card-body muted small">
        This replica: Sluice {gateway.version}, Node.js {gateway.node},{" "}
        {gateway.database === "sqlite" ? "SQLite" : "PostgreSQL"}, started <Age at={gateway.started_at} />.
      </p>
    </Card>
  );
}
