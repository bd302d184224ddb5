import type { HealthJson } from "../../../admin/health-schema.ts";
import { formatCount, formatUsd } from "../format/numbers.ts";
import { formatDuration } from "../format/times.ts";

/** Something that is wrong, and the remedy. */
export interface Problem {
  /** bad: requests fail or money is at risk; warning: this happens next, or an operator should look. */
  readonly tone: "bad" | "warning";
  readonly title: string;
  readonly remedy: string;
}

/** A part of a limit from which an operator should act. */
const NEARLY_FULL = 0.8;
/** Costs are usually known within a minute. */
const LATE_MS = 900_000;
/** Records are usually written within a second. */
const LONG_QUEUE = 1_000;

interface ComponentText {
  readonly label: string;
  /** The use of the component. */
  readonly purpose: string;
  readonly remedy: string;
}

const COMPONENTS: Readonly<Record<string, ComponentText>> = {
  database: {
    label: "Database",
    purpose: "Keys, budgets and the ledger",
    remedy:
      "New requests are refused until it responds. Check that the database runs, that its disk has space, and DATABASE_URL or DATA_DIR.",
  },
  journal: {
    label: "Journal",
    purpose: "The log on disk that has each request before it is sent",
    remedy:
      "New requests are refused until it can be written. Free space on the disk of DATA_DIR, and check that the gateway may write there.",
  },
  redis: {
    label: "Redis",
    purpose: "Rate limits that all replicas share",
    remedy: "Each replica counts rate limits by itself meanwhile. Check that Redis runs, and REDIS_URL.",
  },
  settlement: {
    label: "Cost lookups",
    purpose: "Costs that a response did not state, looked up at OpenRouter",
    remedy:
      "The lookups are repeated; costs arrive later. Check that the gateway reaches OpenRouter and that its key is valid.",
  },
  keys: {
    label: "Key updates",
    purpose: "Changes of keys, which reach every replica within seconds",
    remedy: "Known keys stay valid, but changes of keys have no effect yet. Check the database.",
  },
};

/** Returns the words for a component; a component of a newer version is described by its name. */
export function describeComponent(name: string): ComponentText {
  return COMPONENTS[name] ?? { label: name, purpose: "", remedy: "See the log of the gateway." };
}

/** Lists the problems of a gateway, the worst first. No problem means that everything works. */
export function findProblems(health: HealthJson): readonly Problem[] {
  const problems = [
    ...findComponentProblems(health),
    ...findCapacityProblems(health),
    ...findLedgerProblems(health),
    ...findOtherProblems(health),
  ];
  return problems.toSorted((left, right) => Number(right.tone === "bad") - Number(left.tone === "bad"));
}

function findComponentProblems({ components }: HealthJson): Problem[] {
  return components
    .filter(({ is_up }) => !is_up)
    .map(({ name, is_required }) => {
      const { label, remedy } = describeComponent(name);
      return { tone: is_required ? "bad" : "warning", title: `${label}: the check fails`, remedy };
    });
}

function findCapacityProblems({ capacity, ledger }: HealthJson): Problem[] {
  const limits: readonly (readonly [value: number, max: number, title: string, remedy: string])[] = [
    [
      capacity.in_flight,
      capacity.in_flight_limit,
      "requests in flight",
      "Above the limit, requests get 503. Add a replica, or raise MAX_IN_FLIGHT.",
    ],
    [
      capacity.connections,
      capacity.connections_limit,
      "client connections",
      "Above the limit, idle connections are closed. Add a replica, or raise MAX_CONNECTIONS and the open files limit.",
    ],
    [
      capacity.body_memory_bytes,
      capacity.body_memory_limit_bytes,
      "memory of request bodies",
      "Above the limit, requests get 503. Add a replica, or raise BODY_MEMORY_BYTES.",
    ],
    [
      ledger.journal_bytes,
      ledger.journal_max_bytes,
      "the journal",
      "With a full journal, requests are refused. The database does not accept records: check it first.",
    ],
  ];
  return limits
    .filter(([value, max]) => value >= max * NEARLY_FULL)
    .map(([value, max, title, remedy]) => ({
      tone: value >= max ? "bad" : "warning",
      title: `This replica: ${title} at ${Math.floor((value / max) * 100)}% of the limit`,
      remedy,
    }));
}

function findLedgerProblems({ ledger }: HealthJson): Problem[] {
  const problems: Problem[] = [];
  const add = (isWrong: boolean, tone: Problem["tone"], title: string, remedy: string): void => {
    if (isWrong) problems.push({ tone, title, remedy });
  };
  add(
    ledger.quarantined_rows > 0,
    "bad",
    `${formatCount(ledger.quarantined_rows)} records were rejected by the database`,
    "They are in a file that ends in .refused beside the journal, and not in the ledger. Keep the file and report the error in the log.",
  );
  add(
    ledger.overruns > 0,
    "bad",
    `${formatCount(ledger.overruns)} requests cost more than was reserved for them`,
    "Their keys are blocked. Look at the alerts below, then unblock the keys on their pages.",
  );
  add(
    (ledger.oldest_pending_ms ?? 0) > LATE_MS,
    "warning",
    `A request waits for its cost since ${formatDuration(ledger.oldest_pending_ms)}`,
    "The lookups go on until SETTLE_GIVE_UP_MS. Check that OpenRouter responds.",
  );
  add(
    ledger.queue_rows > LONG_QUEUE,
    "warning",
    `${formatCount(ledger.queue_rows)} records wait to be written to the database`,
    "They are safe in the journal. Check the load of the database.",
  );
  add(
    (ledger.unknown ?? 0) > 0,
    "warning",
    `${formatAtMost(ledger.unknown, ledger.backlog_max)} requests have an unknown cost`,
    "Run “npm run sluice -- reconcile” to look the costs up again, or to state them.",
  );
  return problems;
}

function findOtherProblems({ gateway, capacity, instances, account, alerts }: HealthJson): Problem[] {
  const problems: Problem[] = [];
  if (gateway.is_shutting_down)
    problems.push({
      tone: "warning",
      title: "This replica is shutting down",
      remedy: "It finishes its requests. Nothing to do if this is a deployment.",
    });
  for (const { source, remaining_usd } of account?.balances ?? [])
    if (Number(remaining_usd) <= 0)
      problems.push({
        tone: "bad",
        title: `${describeBalance(source)} is used up: ${formatUsd(remaining_usd)} left`,
        remedy: "Paid models are refused. Add credits or raise the limit of the key at openrouter.ai.",
      });
  const silent = (instances ?? []).filter(({ is_alive }) => !is_alive).length;
  if (silent > 0)
    problems.push({
      tone: "warning",
      title: `${silent} replica${silent === 1 ? " has" : "s have"} no heartbeat for a minute`,
      remedy:
        "Start it again with the same DATA_DIR, so that its journal is replayed. Otherwise the costs of its last requests may stay unknown.",
    });
  if ((alerts.undelivered ?? 0) > 0)
    problems.push({
      tone: "warning",
      title: `${formatCount(alerts.undelivered)} alerts are not delivered yet`,
      remedy: "They are sent again for a day. If the number stays, check the receiver at ALERT_WEBHOOK_URL.",
    });
  if ((capacity.dropped_log_lines ?? 0) > 0)
    problems.push({
      tone: "warning",
      title: `${formatCount(capacity.dropped_log_lines)} log lines of this replica are lost`,
      remedy: "The reader of standard output is too slow or stopped. Check the log collector.",
    });
  return problems;
}

/** Names a balance at OpenRouter. */
export function describeBalance(source: string): string {
  return source === "key_limit" ? "The limit of the OpenRouter key" : "The credit of the OpenRouter account";
}

/** Formats a count that stops at a maximum, such as `10,000 or more`. */
export function formatAtMost(count: number | null, max: number): string {
  return count !== null && count >= max ? `${formatCount(max)} or more` : formatCount(count);
}
