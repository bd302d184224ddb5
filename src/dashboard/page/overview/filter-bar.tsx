import type { JSX } from "preact";
import { useApi } from "../api/use-api.ts";
import type { Group, Key } from "../api/types.ts";
import { formatSpan } from "../charts/time-axis.ts";
import { Choices } from "../components/controls.tsx";
import { type Dimension, DIMENSIONS } from "./dimensions.ts";
import { PERIODS, STEP_MS } from "./period.ts";
import type { Filter } from "./use-filter.ts";

/** The choice of the period. */
export function PeriodChoices({ filter }: { filter: Filter }): JSX.Element {
  return (
    <Choices
      label="Period"
      value={filter.period.id ?? ""}
      options={PERIODS.map(({ id, label }) => [id, label] as const)}
      onChange={(id) => filter.setPeriod(id as (typeof PERIODS)[number]["id"])}
    />
  );
}

/** The filters in effect, each with a button that ends it. */
export function FilterChips({ filter }: { filter: Filter }): JSX.Element | null {
  const { period, values } = filter;
  const labels = useLabels(filter);
  const active = DIMENSIONS.filter(({ id }) => values[id] !== undefined);
  if (active.length === 0 && period.id !== undefined) return null;
  return (
    <ul class="chips" aria-label="Filters">
      {period.id === undefined && (
        <Chip name="Period" value={formatSpan(period, STEP_MS[period.step])} onRemove={filter.endZoom} />
      )}
      {active.map(({ id, singular }) => (
        <Chip
          key={id}
          name={singular}
          value={labels[id] ?? values[id] ?? ""}
          onRemove={() => filter.setValue(id, undefined)}
        />
      ))}
    </ul>
  );
}

/** Reads the names of a key and a group, whose ids are in the URL. */
function useLabels({ values: { key, group } }: Filter): Partial<Record<Dimension, string | undefined>> {
  const { data: keyData } = useApi<Key>(
    `/keys/${encodeURIComponent(key ?? "")}`,
    {},
    { isLive: false, isEnabled: key !== undefined },
  );
  const { data: groupData } = useApi<Group>(
    `/groups/${encodeURIComponent(group ?? "")}`,
    {},
    { isLive: false, isEnabled: group !== undefined },
  );
  return { key: keyData?.name, group: groupData?.name };
}

interface ChipProps {
  readonly name: string;
  readonly value: string;
  readonly onRemove: () => void;
}

function Chip({ name, value, onRemove }: ChipProps): JSX.Element {
  return (
    <li class="chip">
      <span class="muted">{name}</span>
      <span class="clip" title={value}>
        {value}
      </span>
      <button type="button" onClick={onRemove} aria-label={`Remove the filter ${name}: ${value}`}>
        ✕
      </button>
    </li>
  );
}
