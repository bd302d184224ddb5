import type { JSX } from "preact";
import type { ModelJson } from "../../../admin/model-json.ts";
import { Field } from "../components/controls.tsx";
import { SelectField, type SelectOptions } from "../components/select-field.tsx";
import { listModalities, type ModelParams } from "./model-filter.ts";

const ANY = ["", "Any"] as const;
const PRICES: SelectOptions = [ANY, ["free", "Free"], ["paid", "Paid"]];
const CONTEXTS: SelectOptions = [
  ANY,
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
function toOptions(modalities: readonly string[]): SelectOptions {
  return [ANY, ...modalities.map((modality) => [modality, modality] as const)];
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
      <SelectField
        label="Input"
        value={params.input}
        options={toOptions(listModalities(models, "input_modalities"))}
        onChange={(input) => onChange({ input })}
      />
      <SelectField
        label="Output"
        value={params.output}
        options={toOptions(listModalities(models, "output_modalities"))}
        onChange={(output) => onChange({ output })}
      />
      <SelectField
        label="Price"
        value={params.price}
        options={PRICES}
        onChange={(price) => onChange({ price })}
      />
      <SelectField
        label="Context, at least"
        value={params.context}
        options={CONTEXTS}
        onChange={(context) => onChange({ context })}
      />
    </div>
  );
}
