import type { ModelJson } from "../../../admin/model-json.ts";
import { getMillionPrice, isFree } from "./prices.ts";

/** The parameters of the page's URL. */
export const MODEL_PARAMS = [
  "search",
  "input",
  "output",
  "price",
  "context",
  "key",
  "sort",
  "model",
] as const;

/** Which models the page shows, as its URL states them. */
export type ModelParams = Readonly<Partial<Record<(typeof MODEL_PARAMS)[number], string>>>;

/** The column by which the models are sorted. */
export interface ModelOrder {
  readonly column: string;
  readonly isDescending: boolean;
}

/** Lists the kinds of input or output that any model has, in order. */
export function listModalities(
  models: readonly ModelJson[],
  field: "input_modalities" | "output_modalities",
): string[] {
  return [...new Set(models.flatMap((model) => model[field]))].toSorted();
}

/** Selects models by the filters of the page. All filters must match. */
export function filterModels(models: readonly ModelJson[], params: ModelParams): readonly ModelJson[] {
  const words = (params.search ?? "").toLowerCase().split(/\s+/);
  const minContext = Number(params.context ?? 0);
  return models.filter((model) => {
    const text = `${model.id} ${model.name}`.toLowerCase();
    return (
      words.every((word) => text.includes(word)) &&
      (params.input === undefined || model.input_modalities.includes(params.input)) &&
      (params.output === undefined || model.output_modalities.includes(params.output)) &&
      (params.price === undefined || isFree(model.pricing) === (params.price === "free")) &&
      (minContext === 0 || (model.context_length ?? 0) >= minContext)
    );
  });
}

/** Values by which the columns sort. */
type SortValue = string | number | null | undefined;
const SORT_VALUES: Readonly<Record<string, (model: ModelJson) => SortValue>> = {
  name: (model) => model.name.toLowerCase(),
  context: (model) => model.context_length,
  completion: (model) => model.max_completion_tokens,
  input_price: (model) => getMillionPrice(model.pricing, "prompt"),
  output_price: (model) => getMillionPrice(model.pricing, "completion"),
  created: (model) => model.created_at,
};

/** Reads the order from the URL, such as `-context` for the longest context first. Default: newest first. */
export function parseOrder(sort: string | undefined): ModelOrder {
  const column = sort?.replace(/^-/, "") ?? "";
  if (sort === undefined || !(column in SORT_VALUES)) return { column: "created", isDescending: true };
  return { column, isDescending: sort.startsWith("-") };
}

/** Writes an order for the URL. */
export function formatOrder({ column, isDescending }: ModelOrder): string {
  return `${isDescending ? "-" : ""}${column}`;
}

function isMissing(value: SortValue): boolean {
  return value === null || value === undefined || (typeof value === "number" && value < 0);
}

/** Sorts models; those without a value, or whose price varies, are last in both directions. */
export function sortModels(
  models: readonly ModelJson[],
  { column, isDescending }: ModelOrder,
): readonly ModelJson[] {
  const read = SORT_VALUES[column];
  if (!read) return models;
  const sign = isDescending ? -1 : 1;
  return models.toSorted((left, right) => {
    const [first, second] = [read(left), read(right)];
    if (isMissing(first) || isMissing(second)) return Number(isMissing(first)) - Number(isMissing(second));
    if (first === second) return left.id < right.id ? -1 : 1;
    return (first ?? 0) < (second ?? 0) ? -sign : sign;
  });
}
