import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useApi } from "../api/use-api.ts";
import { Field } from "../components/controls.tsx";
import { useUrlParams } from "../components/use-url-params.ts";
import type { Listed, ListedGroup } from "./key-types.ts";
import { shortenSecret } from "./search-text.ts";

/** Groups that the choice of a group has. */
const GROUPS_MAX = 500;
/** The parameters of the page's URL that select keys. */
export const FILTERS = ["search", "group", "revoked", "model", "after"] as const;

const TYPING_PAUSE_MS = 250;

/** The controls that select which keys are listed. The page's URL has their values. */
export function KeyFilters(): JSX.Element {
  const { params, setParams } = useUrlParams(FILTERS);
  const groups = useApi<Listed<ListedGroup>>("/groups", { limit: GROUPS_MAX });
  return (
    <div class="filters">
      <FilterText
        label="Search"
        placeholder="Name, owner, id or secret"
        value={params.search ?? ""}
        onValue={(search) =>
          setParams({ search: shortenSecret(search), after: undefined }, { replace: true })
        }
      />
      <FilterText
        label="May use model"
        placeholder="openai/gpt-4o-mini"
        value={params.model ?? ""}
        onValue={(model) => setParams({ model: model.trim(), after: undefined }, { replace: true })}
      />
      <Field label="Group">
        {(attributes) => (
          <select
            {...attributes}
            value={params.group ?? ""}
            onChange={(event) => setParams({ group: event.currentTarget.value, after: undefined })}
          >
            <option value="">all</option>
            {groups.data?.data.map(({ id, name }) => (
              <option key={id} value={name}>
                {name}
              </option>
            ))}
          </select>
        )}
      </Field>
      <label class="checkbox">
        <input
          type="checkbox"
          checked={params.revoked === "true"}
          onChange={(event) =>
            setParams({ revoked: event.currentTarget.checked ? "true" : undefined, after: undefined })
          }
        />
        Show revoked keys
      </label>
    </div>
  );
}

interface FilterTextProps {
  readonly label: string;
  readonly placeholder: string;
  readonly value: string;
  readonly onValue: (value: string) => void;
}

/** A text that filters the list as soon as the user stops typing. */
function FilterText({ label, placeholder, value, onValue }: FilterTextProps): JSX.Element {
  const [typed, setTyped] = useState(value);
  useEffect(() => setTyped(value), [value]);
  useEffect(() => {
    if (typed === value) return undefined;
    const timer = setTimeout(() => onValue(typed), TYPING_PAUSE_MS);
    return () => clearTimeout(timer);
    // The timer starts again with each letter, and not with each refresh of the list.
  }, [typed]);
  return (
    <Field label={label}>
      {(attributes) => (
        <input
          {...attributes}
          type="search"
          placeholder={placeholder}
          autocomplete="off"
          spellcheck={false}
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}
