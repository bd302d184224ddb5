import type { JSX } from "preact";
import { Link } from "wouter-preact";
import type { AuditEntry } from "../api/types.ts";
import { useApi } from "../api/use-api.ts";
import { Card } from "../components/layout.tsx";
import { Empty, Loaded } from "../components/states.tsx";
import { type Column, Table } from "../components/table.tsx";
import { Name, Time } from "../components/values.tsx";
import { PageButtons, usePagePosition } from "./page-buttons.tsx";

const PAGE_SIZE = 20;
const SHOWN_FIELDS = 3;

const COLUMNS: readonly Column<AuditEntry>[] = [
  { id: "at", header: "Time", render: ({ at }) => <Time at={at} /> },
  { id: "action", header: "Change", render: ({ action }) => <Name text={action.replaceAll("_", " ")} /> },
  {
    id: "key",
    header: "Key or group",
    render: ({ key_id: id, details }) =>
      id?.startsWith("key_") === true ? (
        <Link href={`/keys/${encodeURIComponent(id)}`}>{id}</Link>
      ) : (
        <Name text={id ?? readGroup(details)} />
      ),
  },
  { id: "actor", header: "By", render: ({ actor }) => <Name text={actor} /> },
  { id: "source", header: "From", render: ({ source }) => <Name text={source} /> },
  { id: "details", header: "Details", render: ({ details }) => <Details details={details} /> },
];

/** The changes of keys and groups, newest first. */
export function Audit(): JSX.Element {
  const position = usePagePosition();
  const query = useApi<{ readonly data: readonly AuditEntry[] }>("/audit", {
    limit: PAGE_SIZE,
    before: position.before,
  });
  return (
    <Card title="Audit: changes of keys and groups" isFlush>
      <Loaded query={query}>
        {({ data }) =>
          data.length === 0 && position.before === undefined ? (
            <Empty title="No changes">Every change of a key or a group appears here.</Empty>
          ) : (
            <>
              <Table caption="Changes" columns={COLUMNS} rows={data} toKey={({ id }) => id} />
              <PageButtons
                of="changes"
                position={position}
                nextBefore={data.length < PAGE_SIZE ? null : (data.at(-1)?.id ?? null)}
              />
            </>
          )
        }
      </Loaded>
    </Card>
  );
}

/** Returns the group that a change is about; undefined for a change without a group. */
function readGroup({ group }: AuditEntry["details"]): string | undefined {
  return typeof group === "string" ? group : undefined;
}

function Details({ details }: Pick<AuditEntry, "details">): JSX.Element {
  const fields = Object.keys(details);
  if (fields.length === 0) return <span class="muted">–</span>;
  return (
    <details>
      <summary class="small">
        {fields.slice(0, SHOWN_FIELDS).join(", ")}
        {fields.length > SHOWN_FIELDS && ` and ${fields.length - SHOWN_FIELDS} more`}
      </summary>
      <pre>{JSON.stringify(details, undefined, 2)}</pre>
    </details>
  );
}
