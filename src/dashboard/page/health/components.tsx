import type { JSX } from "preact";
import type { HealthJson } from "../../../admin/health-schema.ts";
import { Card } from "../components/layout.tsx";
import { Badge } from "../components/states.tsx";
import { type Column, Table } from "../components/table.tsx";
import { describeComponent } from "./problems.ts";

type Component = HealthJson["components"][number];

const COLUMNS: readonly Column<Component>[] = [
  {
    id: "name",
    header: "Component",
    render: ({ name }) => (
      <span class="two-lines">
        <span>{describeComponent(name).label}</span>
        <span class="muted small">{describeComponent(name).purpose}</span>
      </span>
    ),
  },
  {
    id: "required",
    header: "Without it",
    render: ({ is_required }) => (is_required ? "requests fail" : "requests are served"),
  },
  {
    id: "state",
    header: "State",
    render: ({ is_up, is_required }) =>
      is_up ? (
        <Badge tone="good">works</Badge>
      ) : (
        <Badge tone={is_required ? "bad" : "warning"}>check fails</Badge>
      ),
  },
];

/** The components that this replica depends on. */
export function Components({ health }: { health: HealthJson }): JSX.Element {
  return (
    <Card title="Components, as this replica sees them" isFlush>
      <Table caption="Components" columns={COLUMNS} rows={health.components} toKey={({ name }) => name} />
    </Card>
  );
}
