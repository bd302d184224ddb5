import type { JSX } from "preact";
import { useId, useMemo } from "preact/hooks";
import { useApi } from "../api/use-api.ts";
import type { Params } from "../api/request.ts";
import type { UsageReport } from "../api/types.ts";
import { Field } from "../components/controls.tsx";
import { useUrlParams } from "../components/use-url-params.ts";
import { OUTCOME_WORDS } from "../format/outcomes.ts";

const HOUR_MS = 3_600_000;
/** Periods by their name in the URL, in hours; without a period, the API lists the last 30 days. */
const PERIOD_HOURS: Readonly<Record<string, number>> = { "1h": 1, "24h": 24, "7d": 168 };
const PERIODS = [
  ["1h", "Last hour"],
  ["24h", "Last 24 hours"],
  ["7d", "Last 7 days"],
  ["", "Last 30 days"],
  ["all", "All"],
] as const;
const RESULTS = [
  ["", "All results"],
  ["failed", "All failures"],
  ...Object.entries(OUTCOME_WORDS).map(([outcome, [word]]) => [outcome, word] as const),
] as const;
const STATES = [
  ["", "All"],
  ["open", "In flight"],
  ["pending", "Pending"],
  ["settled", "Known"],
  ["unknown", "Unknown"],
] as const;
/** Filters of the API with a text, and their labels. */
const TEXTS = [
  ["key", "Key"],
  ["model", "Model"],
  ["provider", "Provider"],
  ["endpoint", "Endpoint"],
  ["end_user", "End user"],
  ["group", "Group"],
  ["session", "Session"],
  ["status", "Status"],
] as const;
/** Number of the filters in `TEXTS` that are always visible. */
const VISIBLE_TEXTS = 2;
/** Filters whose values the reports suggest. */
const SUGGESTED: readonly string[] = ["key", "model", "provider", "endpoint"];
const NAMES = [
  "search",
  "period",
  "from",
  "to",
  "outcome",
  "failed",
  "state",
  ...TEXTS.map(([name]) => name),
] as const;
type FilterName = (typeof NAMES)[number];
type Filters = Readonly<Partial<Record<FilterName, string>>>;

interface RequestFilters {
  readonly filters: Filters;
  /** The filters as parameters of the API. */
  readonly params: Params;
  readonly clearFilters: () => void;
  /** Changes filters and returns to the first page. */
  readonly setFilters: (changes: Partial<Record<FilterName, string>>) => void;
  /** Cursor of the shown page; undefined: the first page. */
  readonly cursor: string | undefined;
  readonly setCursor: (cursor: string | undefined) => void;
}

/** Reads the filters of requests from the URL, which has the names of the API, and `period`. */
export function useRequestFilters(): RequestFilters {
  const { params: url, setParams } = useUrlParams([...NAMES, "cursor"]);
  const { cursor, ...filters } = url;
  const { period, ...rest } = filters;
  // The start stays the same until the period changes, so that a refresh reads the same query.
  const from = useMemo(() => toStart(period), [period]);
  return {
    filters,
    params: { ...(from !== undefined && { from }), ...rest },
    clearFilters: () => setParams(Object.fromEntries([...NAMES, "cursor"].map((name) => [name, undefined]))),
    setFilters: (changes) => setParams({ ...changes, cursor: undefined }),
    cursor,
    setCursor: (next) => setParams({ cursor: next }),
  };
}

function toStart(period: string | undefined): string | undefined {
  if (period === "all") return "1970-01-01";
  const hours = PERIOD_HOURS[period ?? ""];
  return hours === undefined ? undefined : new Date(Date.now() - hours * HOUR_MS).toISOString();
}

interface FilterProps {
  readonly filters: Filters;
  readonly onChange: RequestFilters["setFilters"];
}

/** The controls of the filters. A text applies when it is complete: at Enter, or when the focus leaves its field. */
export function FilterBar({ filters, onChange }: FilterProps): JSX.Element {
  const hasMore = TEXTS.slice(VISIBLE_TEXTS).some(([name]) => filters[name] !== undefined);
  const texts = TEXTS.map(([name, label]) => (
    <TextFilter
      key={name}
      label={label}
      value={filters[name]}
      {...(SUGGESTED.includes(name) && { dimension: name })}
      onChange={(value) => onChange({ [name]: value })}
    />
  ));
  const result = filters.failed === "true" ? "failed" : filters.outcome;
  const setResult = (value: string): void =>
    onChange(value === "failed" ? { failed: "true", outcome: "" } : { failed: "", outcome: value });
  return (
    <form class="filters request-filters" role="search" onSubmit={(event) => event.preventDefault()}>
      <TextFilter
        label="Search an id"
        value={filters.search}
        placeholder="Request, generation or row id"
        onChange={(search) => onChange({ search })}
      />
      <Select
        label="Period"
        value={filters.period}
        options={PERIODS}
        onChange={(period) => onChange({ period, from: "", to: "" })}
      />
      <Select label="Result" value={result} options={RESULTS} onChange={setResult} />
      <Select label="Cost" value={filters.state} options={STATES} onChange={(state) => onChange({ state })} />
      {texts.slice(0, VISIBLE_TEXTS)}
      <details open={hasMore}>
        <summary>More filters</summary>
        <div class="filters">{texts.slice(VISIBLE_TEXTS)}</div>
      </details>
    </form>
  );
}

interface SelectProps {
  readonly label: string;
  readonly value: string | undefined;
  readonly options: readonly (readonly [value: string, label: string])[];
  readonly onChange: (value: string) => void;
}

function Select({ label, value = "", options, onChange }: SelectProps): JSX.Element {
  return (
    <Field label={label}>
      {(attributes) => (
        <select {...attributes} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
          {options.map(([option, text]) => (
            <option key={option} value={option}>
              {text}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

interface TextFilterProps {
  readonly label: string;
  readonly value: string | undefined;
  readonly placeholder?: string;
  /** The dimension of reports whose values are suggested. */
  readonly dimension?: string;
  readonly onChange: (value: string) => void;
}

function TextFilter({
  label,
  value = "",
  placeholder = "Any",
  dimension,
  onChange,
}: TextFilterProps): JSX.Element {
  const list = useId();
  return (
    <Field label={label}>
      {(attributes) => (
        <>
          <input
            {...attributes}
            type="search"
            value={value}
            placeholder={placeholder}
            spellcheck={false}
            autocomplete="off"
            list={list}
            onChange={(event) => onChange(event.currentTarget.value.trim())}
          />
          {dimension !== undefined && <Suggestions id={list} dimension={dimension} />}
        </>
      )}
    </Field>
  );
}

/** Suggests the values that requests of the last 30 days have. */
function Suggestions({ id, dimension }: { id: string; dimension: string }): JSX.Element {
  const { data } = useApi<UsageReport>("/usage", { by: dimension }, { isLive: false });
  const values = (data?.data ?? []).map((line) =>
    dimension === "key"
      ? ([line.key_id, line.key_name] as const)
      : ([line[dimension as "model" | "provider" | "endpoint"], undefined] as const),
  );
  return (
    <datalist id={id}>
      {values
        .filter(([value]) => value)
        .map(([value, name]) => (
          <option key={value} value={value}>
            {name}
          </option>
        ))}
    </datalist>
  );
}
