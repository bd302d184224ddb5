import type { SeriesLine } from "../api/types.ts";

/** The dimensions by which series can be split: value of `by`, plural for controls, singular for table heads. */
export const DIMENSIONS = [
  { id: "model", plural: "Models", singular: "Model", none: "(served by no model)" },
  { id: "key", plural: "Keys", singular: "Key", none: "(no key)" },
  { id: "provider", plural: "Providers", singular: "Provider", none: "(served by no provider)" },
  { id: "endpoint", plural: "Endpoints", singular: "Endpoint", none: "(no endpoint)" },
  { id: "group", plural: "Groups", singular: "Group", none: "(no group)" },
] as const;
export type DimensionInfo = (typeof DIMENSIONS)[number];
export type Dimension = DimensionInfo["id"];

/** Identifies the line of everything that has no line of its own. */
export const REST_ID = "\0rest";

/** Returns the dimension of a URL parameter. @param text default: model. */
export function toDimension(text: string | undefined): DimensionInfo {
  return DIMENSIONS.find(({ id }) => id === text) ?? DIMENSIONS[0];
}

/** Returns the value of a line in a dimension: the id of its key or group, or its name; the empty text if it has none. */
export function toLineId(line: SeriesLine, { id }: DimensionInfo): string {
  if (line.is_other) return REST_ID;
  if (id === "key") return line.key_id ?? "";
  return (id === "group" ? line.group_id : line[id]) ?? "";
}

/** Returns the name of a line for readers. */
export function toLineLabel(line: SeriesLine, dimension: DimensionInfo): string {
  if (line.is_other) return "All others";
  const name =
    dimension.id === "key" ? line.key_name : dimension.id === "group" ? line.group_name : undefined;
  return name || toLineId(line, dimension) || dimension.none;
}
