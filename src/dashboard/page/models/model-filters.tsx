import type { JSX } from "preact";
import type { ModelJson } from "../../../admin/model-json.ts";
import { Field } from "../components/controls.tsx";
import { listModalities, type ModelParams } from "./model-filter.ts";

type Options = readonly (readonly [value: string, label: string])[];

const PRICES: Options = [
  ["free", "Free"],
  ["paid", "Paid"],
];
const CONTEXTS: Options = [
  ["32000", "32K tokens"],
  ["128000", "128K tokens"],
  ["200000", "200K tokens"],
  ["1000000", "1M tokens"],
];

interface ModelFiltersProps {
  /** All models, whose modalities are the choices. */
  readonly models: readonly ModelJson[];
  readonly params: ModelParams;
  readonly onChange: (changes: ModelParams) => void;
}

/** Modalities have no other labels, because OpenRouter may add some. */
function toOptions(modalities: readonly string[]): Options {
  return modalities.map((modality) => [modality, modality]);
}

/** The search and the filters of the catalogue. */
export function ModelFilters({ models, params, onChange }: ModelFiltersProps): JSX.Element {
  return (
    <div class="filters">
      <Field label="Search">
        {(attributes) => (
          <input
            {...attributes}
            type="search"
            placeholder="Name or id"
            value={params.search ?? ""}
            onInput={(event) => onChange({ search: event.currentTarget.value })}
          />
        )}
      </Field>
      <Selection
        label="Input"
        value={params.input}
        options={toOptions(listModalities(models, "input_modalities"))}
        onChange={(input) => onChange({ input })}
      />
      <Selection
        label="Output"
        value={params.output}
        options={toOptions(listModalities(models, "output_modalities"))}
        onChange={(output) => onChange({ output })}
      />
      <Selection
        label="Price"
        value={params.price}
        options={PRICES}
        onChange={(price) => onChange({ price })}
      />
      <Selection
        label="Context, at least"
        value={params.context}
        options={CONTEXTS}
        onChange={(context) => onChange({ context })}
      />
    </div>
  );
}

interface SelectionProps {
  readonly label: string;
  readonly value: string | undefined;
  readonly options: Options;
  /** Called with the empty text if the reader chooses no filter. */
  readonly onChange: (value: string) => void;
}

function Selection({ label, value = "", options, onChange }: SelectionProps): JSX.Element {
  return (
    <Field label={label}>
      {(attributes) => (
        <select {...attributes} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
          <option value="">Any</option>
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
