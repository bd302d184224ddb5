import type { JSX } from "preact";
import type { HealthJson } from "../../../admin/health-schema.ts";
import { Card } from "../components/layout.tsx";
import { Meter } from "../components/meter.tsx";
import { formatBytes, formatCount } from "../format/numbers.ts";

interface Gauge {
  readonly label: string;
  readonly value: number;
  readonly max: number;
  readonly format: (value: number) => string;
}

/** The load of this replica beside its limits. */
export function Capacity({ health: { capacity, ledger } }: { health: HealthJson }): JSX.Element {
  const gauges: readonly Gauge[] = [
    {
      label: "Requests in flight",
      value: capacity.in_flight,
      max: capacity.in_flight_limit,
      format: formatCount,
    },
    {
      label: "Client connections",
      value: capacity.connections,
      max: capacity.connections_limit,
      format: formatCount,
    },
    {
      label: "Memory of request bodies",
      value: capacity.body_memory_bytes,
      max: capacity.body_memory_limit_bytes,
      format: formatBytes,
    },
    {
      label: "Journal on disk",
      value: ledger.journal_bytes,
      max: ledger.journal_max_bytes,
      format: formatBytes,
    },
  ];
  return (
    <Card title="Capacity of this replica">
      <div class="stack">
        {gauges.map(({ label, value, max, format }) => (
          <div class="gauge" key={label}>
            <span class="gauge-head">
              <span>{label}</span>
              <span>
                {format(value)} <span class="muted">of {format(max)}</span>
              </span>
            </span>
            <Meter label={`${label}: ${format(value)} of ${format(max)}`} value={value} max={max} />
          </div>
        ))}
        <p class="muted small">
          {formatCount(capacity.uploads)} of the requests in flight are still sending their body.
        </p>
      </div>
    </Card>
  );
}
