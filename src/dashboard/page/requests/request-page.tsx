import type { ComponentChildren, JSX } from "preact";
import { Link } from "wouter-preact";
import type { LedgerRecord } from "../api/types.ts";
import { useApi } from "../api/use-api.ts";
import { CopyButton } from "../components/controls.tsx";
import { Card, Page } from "../components/layout.tsx";
import { Cost, ResultBadge } from "../components/result.tsx";
import { Loaded } from "../components/states.tsx";
import { Time } from "../components/values.tsx";
import { formatBytes, formatCount, formatExactUsd, NO_VALUE } from "../format/numbers.ts";
import { formatDuration } from "../format/times.ts";
import { Timeline } from "./timeline.tsx";
import "../styles/requests.css";

/** The record of one request. @param props.id of its row. */
export function RequestPage({ id }: { id: string }): JSX.Element {
  const record = useApi<LedgerRecord>(`/requests/${encodeURIComponent(id)}`);
  return (
    <Page title="Request" actions={<Link href="/requests">All requests</Link>}>
      <Loaded query={record} lines={12}>
        {(data) => <RequestRecord record={data} />}
      </Loaded>
    </Page>
  );
}

function RequestRecord({ record }: { record: LedgerRecord }): JSX.Element {
  return (
    <div class="stack">
      <p class="row">
        <ResultBadge {...record} />
        <Cost row={record} />
        <span class="muted">{record.endpoint}</span>
        <Time at={record.started_at} />
      </p>
      <Card title="Timeline">
        <Timeline record={record} />
      </Card>
      <div class="grid">
        <Identity record={record} />
        <Caller record={record} />
        <Money record={record} />
        <Tokens record={record} />
        <Transfer record={record} />
      </div>
    </div>
  );
}

type Fields = readonly (readonly [label: string, value: ComponentChildren])[];

function FieldCard({ title, fields }: { title: string; fields: Fields }): JSX.Element {
  return (
    <Card title={title}>
      <dl class="fields">
        {fields.map(([label, value]) => (
          <>
            <dt>{label}</dt>
            <dd>{value ?? NO_VALUE}</dd>
          </>
        ))}
      </dl>
    </Card>
  );
}

/** An id, with a button that copies it. */
function Id({ text, label }: { text: string | null; label: string }): JSX.Element {
  if (text === null) return <>{NO_VALUE}</>;
  return (
    <span class="row">
      <code>{text}</code>
      <CopyButton text={text} label={`Copy ${label}`} />
    </span>
  );
}

/** A value that links to the other requests with it. @param filter the name of the filter. */
function FilterLink({ filter, value, text = value }: FilterLinkProps): JSX.Element {
  if (value === null) return <>{NO_VALUE}</>;
  return <Link href={`/requests?${new URLSearchParams({ [filter]: value })}`}>{text}</Link>;
}

interface FilterLinkProps {
  readonly filter: string;
  readonly value: string | null;
  readonly text?: string | null;
}

function Identity({ record }: { record: LedgerRecord }): JSX.Element {
  const fields: Fields = [
    ["Row", <Id text={record.id} label="row id" />],
    ["Request", <Id text={record.request_id} label="request id" />],
    ["Generation", <Id text={record.generation_id} label="generation id" />],
    ["Gateway process", <code>{record.instance}</code>],
  ];
  return <FieldCard title="Ids" fields={fields} />;
}

function Caller({ record }: { record: LedgerRecord }): JSX.Element {
  const fields: Fields = [
    ["Key", <FilterLink filter="key" value={record.key_id} text={record.key_name} />],
    ["Key id", <code>{record.key_id}</code>],
    ["Group id", <FilterLink filter="group" value={record.group_id} />],
    ["End user", <FilterLink filter="end_user" value={record.end_user} />],
    ["Session", <FilterLink filter="session" value={record.session} />],
    ["Endpoint", <FilterLink filter="endpoint" value={record.endpoint} />],
    ["Requested model", <FilterLink filter="model" value={record.requested_model} />],
    ["Forwarded model", <FilterLink filter="model" value={record.forwarded_model} />],
    ["Served model", <FilterLink filter="model" value={record.response_model} />],
    ["Provider", <FilterLink filter="provider" value={record.provider} />],
  ];
  return <FieldCard title="Caller and model" fields={fields} />;
}

const STATES: Readonly<Record<LedgerRecord["state"], string>> = {
  open: "In flight",
  pending: "Ended, cost not known yet",
  settled: "Cost known",
  unknown: "The cost will never be known",
};

function Money({ record }: { record: LedgerRecord }): JSX.Element {
  const { is_byok: isByok, upstream_inference_nanodollars: inference } = record;
  const fields: Fields = [
    ["State", STATES[record.state]],
    ["Cost (USD)", formatExactUsd(record.cost_usd)],
    ["Source of the cost", record.cost_source],
    ["Own provider key (BYOK)", isByok === null ? null : isByok ? "yes" : "no"],
    ["Charge of the provider (USD)", formatNanodollars(inference)],
    ["Reserved (USD)", formatExactUsd(record.reserved_usd)],
    ["Reserved in budgets", record.reserved_in],
    ["Cost lookups", formatCount(record.settlement.attempts)],
    ["Next cost lookup", <Time at={record.settlement.next_attempt_at} />],
  ];
  return <FieldCard title="Money" fields={fields} />;
}

const NANODOLLAR_DIGITS = 9;

/** Formats an amount in 1e-9 US dollars with all digits. */
function formatNanodollars(amount: number | null): string {
  if (amount === null) return NO_VALUE;
  const digits = String(amount).padStart(NANODOLLAR_DIGITS + 1, "0");
  return formatExactUsd(`${digits.slice(0, -NANODOLLAR_DIGITS)}.${digits.slice(-NANODOLLAR_DIGITS)}`);
}

function Tokens({ record }: { record: LedgerRecord }): JSX.Element {
  const fields: Fields = [
    ["Prompt", formatCount(record.prompt_tokens)],
    ["of it read from a cache", formatCount(record.cached_tokens)],
    ["of it written to a cache", formatCount(record.cache_write_tokens)],
    ["of it audio", formatCount(record.prompt_audio_tokens)],
    ["Completion", formatCount(record.completion_tokens)],
    ["of it reasoning", formatCount(record.reasoning_tokens)],
  ];
  return <FieldCard title="Tokens" fields={fields} />;
}

function Transfer({ record }: { record: LedgerRecord }): JSX.Element {
  const fields: Fields = [
    ["Status", record.status === 0 ? "No response was sent" : String(record.status)],
    ["Stream", record.stream ? "yes" : "no"],
    ["First byte", formatExactMs(record.first_byte_ms)],
    ["Duration", formatExactMs(record.total_ms)],
    ["Request body", formatBytes(record.bytes_in)],
    ["Response body sent", formatBytes(record.bytes_out)],
    ["Started", <Time at={record.started_at} />],
    ["Ended", <Time at={record.ended_at} />],
  ];
  return <FieldCard title="Transfer" fields={fields} />;
}

function formatExactMs(ms: number | null): string {
  return ms === null || ms < 1_000 ? formatDuration(ms) : `${formatDuration(ms)} (${formatCount(ms)} ms)`;
}
