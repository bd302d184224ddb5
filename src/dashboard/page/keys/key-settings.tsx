import type { ComponentChildren, JSX } from "preact";
import { Link } from "wouter-preact";
import type { Key } from "../api/types.ts";
import { Age, Time } from "../components/values.tsx";
import { formatUsd, NO_VALUE } from "../format/numbers.ts";
import { PERIODS } from "./key-types.ts";
import { LimitCounts } from "./limit-counts.tsx";

const DISCONNECT_LABELS = { cancel: "cancels the request", drain: "reads the response to its end" } as const;

/** All settings of a key. */
export function KeySettings({ apiKey }: { readonly apiKey: Key }): JSX.Element {
  const { id, role, prefix, owner, group, models, previous_secret_until: previousUntil } = apiKey;
  return (
    <dl class="fields">
      <Entry label="Id">
        <code>{id}</code>
      </Entry>
      <Entry label="Role">{role === "admin" ? "admin: for the admin API" : "caller: for models"}</Entry>
      <Entry label="Owner">{owner ?? NO_VALUE}</Entry>
      <Entry label="Group">
        {group === null ? NO_VALUE : <Link href={`/keys?group=${encodeURIComponent(group)}`}>{group}</Link>}
      </Entry>
      <Entry label="Secret begins with">
        <code>{prefix}</code>
      </Entry>
      {previousUntil !== null && Date.parse(previousUntil) > Date.now() && (
        <Entry label="Previous secret until">
          <Time at={previousUntil} />
        </Entry>
      )}
      <Entry label="Created">
        <Time at={apiKey.created_at} />
      </Entry>
      <Entry label="Last used">
        <Age at={apiKey.last_used_at} />
      </Entry>
      <Entry label="Expires">{apiKey.expires_at === null ? "never" : <Time at={apiKey.expires_at} />}</Entry>
      <Entry label="Models">{models === null ? "every model" : <Lines lines={models} />}</Entry>
      <LimitCounts limits={apiKey.limits} />
      <Entry label="On disconnect">{DISCONNECT_LABELS[apiKey.on_disconnect]}</Entry>
      <EndUsers endUsers={apiKey.end_users} />
      <Entry label="Unbounded reservation">
        {apiKey.unbounded_reservation_usd === null ? "none" : formatUsd(apiKey.unbounded_reservation_usd)}
      </Entry>
      <Pairs label="Aliases" pairs={apiKey.aliases} />
      <Pairs label="Metadata" pairs={apiKey.metadata} />
    </dl>
  );
}

function Entry({
  label,
  children,
}: {
  readonly label: string;
  readonly children: ComponentChildren;
}): JSX.Element {
  return (
    <>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </>
  );
}

function Lines({ lines }: { readonly lines: readonly string[] }): JSX.Element {
  return (
    <>
      {lines.map((line) => (
        <div key={line}>
          <code>{line}</code>
        </div>
      ))}
    </>
  );
}

function EndUsers({ endUsers }: { readonly endUsers: Key["end_users"] }): JSX.Element {
  if (endUsers === null) return <Entry label="End users">not recorded</Entry>;
  const budgets = PERIODS.flatMap((period) => {
    const budget = endUsers.budgets[period];
    return budget ? [`${formatUsd(budget.limit_usd)} / ${period} (${budget.mode})`] : [];
  });
  return (
    <Entry label="End users">
      from <code>{endUsers.source}</code>
      {budgets.length > 0 && `; each at most ${budgets.join(", ")}`}
    </Entry>
  );
}

interface PairsProps {
  readonly label: string;
  readonly pairs: Readonly<Record<string, string>>;
}

function Pairs({ label, pairs }: PairsProps): JSX.Element | null {
  const lines = Object.entries(pairs).map(([name, value]) => `${name} = ${value}`);
  if (lines.length === 0) return null;
  return (
    <Entry label={label}>
      <Lines lines={lines} />
    </Entry>
  );
}
