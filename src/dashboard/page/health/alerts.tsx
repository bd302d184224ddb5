import type { JSX } from "preact";
import type { AlertJson, AlertsJson } from "../../../admin/alert-json.ts";
import { useApi } from "../api/use-api.ts";
import { Card } from "../components/layout.tsx";
import { Badge, Empty, Loaded } from "../components/states.tsx";
import type { Tone } from "../format/tones.ts";
import { type Column, Table } from "../components/table.tsx";
import { Time } from "../components/values.tsx";
import { formatCount, formatUsd } from "../format/numbers.ts";
import { formatAge, formatTime } from "../format/times.ts";
import { PageButtons, usePagePosition } from "./page-buttons.tsx";
import { describeBalance } from "./problems.ts";

const PAGE_SIZE = 20;

const COLUMNS: readonly Column<AlertJson>[] = [
  { id: "at", header: "Time", render: ({ created_at }) => <Time at={created_at} /> },
  { id: "event", header: "Event", render: (alert) => describeAlert(alert) },
  { id: "delivery", header: "Webhook", render: (alert) => <Delivery alert={alert} /> },
];

/** The alerts of the last 30 days, of all replicas. */
export function Alerts(): JSX.Element {
  const position = usePagePosition();
  const query = useApi<AlertsJson>("/alerts", { limit: PAGE_SIZE, before: position.before });
  return (
    <Card title="Alerts of the last 30 days, all replicas" isFlush>
      <Loaded query={query}>
        {({ data, next_before }) =>
          data.length === 0 && position.before === undefined ? (
            <Empty title="No alerts">
              Alerts are raised for budgets that are nearly used up, costs above a reservation, unknown costs,
              and low credit.
            </Empty>
          ) : (
            <>
              <Table caption="Alerts" columns={COLUMNS} rows={data} toKey={({ id }) => id} />
              <PageButtons of="alerts" position={position} nextBefore={next_before} />
            </>
          )
        }
      </Loaded>
    </Card>
  );
}

/** Describes an alert in a sentence. Every text in its data may come from a client, and is shown as text. */
function describeAlert({ type, data }: AlertJson): string {
  const read = (field: string): string => {
    const value = data[field];
    return typeof value === "string" || typeof value === "number" ? String(value) : "";
  };
  switch (type) {
    case "budget_threshold":
      return `The budget of ${read("scope").replace("_", " ")} ${read("scope_name")} (${read("period")}) is ${read("percent")}% spent: ${formatUsd(read("spent_usd"))} of ${formatUsd(read("limit_usd"))}`;
    case "cost_above_reservation":
      return `A request of key ${read("key_name")} cost ${formatUsd(read("cost_usd"))}, more than the ${formatUsd(read("reserved_usd"))} reserved for it`;
    case "unknown_cost":
      return `Requests of key ${read("key_name")} in the hour from ${formatTime(read("hour"))} have an unknown cost`;
    case "low_account_credit":
      return `${describeBalance(read("source"))} is low: ${formatUsd(read("remaining_usd"))} left`;
    default:
      return type;
  }
}

const DELIVERIES: Readonly<Record<AlertJson["delivery"], readonly [tone: Tone, label: string]>> = {
  delivered: ["good", "delivered"],
  waiting: ["accent", "waiting"],
  given_up: ["bad", "given up"],
  logged: ["neutral", "only in the log"],
};

function Delivery({ alert }: { alert: AlertJson }): JSX.Element {
  const [tone, label] = DELIVERIES[alert.delivery];
  return (
    <span class="row">
      <Badge tone={tone}>{label}</Badge>
      {alert.attempts > 0 && (
        <span class="muted small">
          {formatCount(alert.attempts)} failed
          {alert.next_attempt_at !== null && `, next ${formatAge(alert.next_attempt_at)}`}
        </span>
      )}
    </span>
  );
}
