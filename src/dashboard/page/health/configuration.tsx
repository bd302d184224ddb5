import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { ConfigurationJson, SettingJson } from "../../../admin/health-schema.ts";
import { useApi } from "../api/use-api.ts";
import { Choices, Field } from "../components/controls.tsx";
import { Card } from "../components/layout.tsx";
import { Badge, Empty, Loaded } from "../components/states.tsx";
import { type Column, Table } from "../components/table.tsx";

const COLUMNS: readonly Column<SettingJson>[] = [
  { id: "name", header: "Setting", render: ({ name }) => <code>{name}</code> },
  { id: "value", header: "Value", render: (setting) => <Value setting={setting} /> },
  {
    id: "state",
    header: "From",
    render: ({ is_default, is_set }) =>
      is_default ? (
        <span class="muted">default</span>
      ) : (
        <Badge tone="accent">{is_set ? "set" : "derived"}</Badge>
      ),
  },
];

type Part = "all" | "set";

/** The settings of this replica, without secrets. */
export function Configuration(): JSX.Element {
  const [search, setSearch] = useState("");
  const [part, setPart] = useState<Part>("all");
  const query = useApi<ConfigurationJson>("/configuration", {}, { isLive: false });
  const matches = ({ name, is_default }: SettingJson): boolean =>
    name.toLowerCase().includes(search.toLowerCase().trim()) && (part === "all" || !is_default);
  return (
    <Card
      title="Configuration of this replica, without secrets"
      actions={
        <Choices<Part>
          label="Which settings"
          value={part}
          options={[
            ["all", "All"],
            ["set", "Changed"],
          ]}
          onChange={setPart}
        />
      }
      isFlush
    >
      <div class="card-body filters">
        <Field label="Search">
          {(attributes) => (
            <input
              {...attributes}
              type="search"
              placeholder="Name of a setting"
              value={search}
              onInput={(event) => setSearch(event.currentTarget.value)}
            />
          )}
        </Field>
      </div>
      <Loaded query={query} lines={12}>
        {({ data }) => {
          const settings = data.filter(matches);
          return settings.length === 0 ? (
            <Empty title="No setting matches" />
          ) : (
            <Table caption="Settings" columns={COLUMNS} rows={settings} toKey={({ name }) => name} />
          );
        }}
      </Loaded>
    </Card>
  );
}

function Value({ setting: { value, is_secret, is_set } }: { setting: SettingJson }): JSX.Element {
  if (is_secret) return <span class="muted">{is_set ? "hidden, because it is a secret" : "not set"}</span>;
  if (value === null || value === "") return <span class="muted">{is_set ? "empty" : "not set"}</span>;
  return <code class="setting-value">{value}</code>;
}
