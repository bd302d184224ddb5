import type { JSX } from "preact";
import { Link } from "wouter-preact";
import type { ModelJson } from "../../../admin/model-json.ts";
import type { Key, UsageReport } from "../api/types.ts";
import { useApi } from "../api/use-api.ts";
import { CopyButton } from "../components/controls.tsx";
import { Dialog } from "../components/dialog.tsx";
import { Stat, Stats } from "../components/layout.tsx";
import { Badge, Loaded } from "../components/states.tsx";
import { Time, Usd } from "../components/values.tsx";
import { formatCompact, formatCount } from "../format/numbers.ts";
import { listPrices } from "./prices.ts";

const USAGE_DAYS = 30;
const DAY_MS = 86_400_000;
const KEYS_MAX = 20;

interface ModelDetailsProps {
  readonly model: ModelJson;
  readonly onClose: () => void;
}

/** Everything about one model: prices, limits, who may use it, and who did. */
export function ModelDetails({ model, onClose }: ModelDetailsProps): JSX.Element {
  const { id, name, description } = model;
  return (
    <Dialog title={name} onClose={onClose}>
      <div class="stack">
        <div class="row">
          <code>{id}</code>
          <CopyButton text={id} label="Copy id" />
          <Link href={`/requests?model=${encodeURIComponent(id)}`}>Requests to this model</Link>
        </div>
        <RecentUsage id={id} />
        <Prices model={model} />
        <Limits model={model} />
        <AllowedKeys id={id} />
        {description !== null && (
          <section class="stack">
            <h3>Description</h3>
            <p class="model-description">{description}</p>
          </section>
        )}
      </div>
    </Dialog>
  );
}

/** Returns the start of the day 30 days ago, so that the request stays the same between two refreshes. */
function getUsageStart(): string {
  const start = Date.now() - USAGE_DAYS * DAY_MS;
  return new Date(start - (start % DAY_MS)).toISOString();
}

function RecentUsage({ id }: { id: string }): JSX.Element {
  const query = useApi<UsageReport>(
    "/usage",
    { by: "key", model: id, from: getUsageStart() },
    { isLive: false },
  );
  return (
    <section class="stack">
      <h3>Usage in the last {USAGE_DAYS} days</h3>
      <Loaded query={query} lines={2}>
        {({ total, data }) => (
          <Stats>
            <Stat
              label="Cost"
              hint={data.length === 1 ? "by one key" : `by ${formatCount(data.length)} keys`}
            >
              <Usd usd={total.cost_usd} />
            </Stat>
            <Stat label="Requests">{formatCompact(total.requests)}</Stat>
            <Stat label="Tokens" hint="Input and output">
              {formatCompact(total.prompt_tokens)} + {formatCompact(total.completion_tokens)}
            </Stat>
          </Stats>
        )}
      </Loaded>
    </section>
  );
}

function Prices({ model: { pricing } }: { model: ModelJson }): JSX.Element {
  const prices = listPrices(pricing);
  return (
    <section class="stack">
      <h3>Prices</h3>
      {prices.length === 0 ? (
        <p class="muted">OpenRouter states no price.</p>
      ) : (
        <dl class="fields">
          {prices.map(({ id, label, text }) => (
            <div class="fields-row" key={id}>
              <dt>{label}</dt>
              <dd>{text}</dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  );
}

function Limits({ model }: { model: ModelJson }): JSX.Element {
  const rows: readonly (readonly [label: string, value: JSX.Element | string])[] = [
    ["Context", `${formatCount(model.context_length)} tokens of input and output together`],
    [
      "Longest output",
      model.max_completion_tokens === null
        ? "no limit of its own"
        : `${formatCount(model.max_completion_tokens)} tokens`,
    ],
    ["Input", model.input_modalities.join(", ") || "not stated"],
    ["Output", model.output_modalities.join(", ") || "not stated"],
    ["Listed since", <Time key="listed" at={model.created_at} />],
    [
      "Request fields",
      model.supported_parameters.length === 0 ? (
        "not stated"
      ) : (
        <span class="row" key="fields">
          {model.supported_parameters.map((field) => (
            <Badge key={field}>{field}</Badge>
          ))}
        </span>
      ),
    ],
  ];
  return (
    <section class="stack">
      <h3>Limits and features</h3>
      <dl class="fields">
        {rows.map(([label, value]) => (
          <div class="fields-row" key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

interface KeyPageJson {
  readonly data: readonly Key[];
  readonly next_after: string | null;
}

function AllowedKeys({ id }: { id: string }): JSX.Element {
  const query = useApi<KeyPageJson>("/keys", { model: id, limit: KEYS_MAX }, { isLive: false });
  return (
    <section class="stack">
      <h3>Keys that may use it</h3>
      <Loaded query={query} lines={2}>
        {({ data, next_after }) => {
          const callers = data.filter(({ role }) => role === "caller");
          if (callers.length === 0 && next_after === null)
            return <p class="muted">No key of the database. Keys of GATEWAY_API_KEYS may use every model.</p>;
          return (
            <p class="row">
              {callers.map(({ id: keyId, name }) => (
                <Link key={keyId} href={`/keys/${encodeURIComponent(keyId)}`}>
                  {name}
                </Link>
              ))}
              {next_after !== null && (
                <Link href={`/keys?model=${encodeURIComponent(id)}`}>and more keys</Link>
              )}
            </p>
          );
        }}
      </Loaded>
    </section>
  );
}
