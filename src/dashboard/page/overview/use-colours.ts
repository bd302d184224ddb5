import { useRef } from "preact/hooks";
import { REST_COLOUR, SERIES_COLOURS } from "../charts/palette.ts";
import { REST_ID } from "./dimensions.ts";

/** Number of series with a colour of their own; the rest is grey. */
export const SERIES_MAX = SERIES_COLOURS - 1;

/**
 * Gives each series a colour token and lets it keep this token while it is shown, even if a refresh changes the order.
 * @param dimension whose series they are. @param ids at most {@link SERIES_MAX} besides the rest.
 */
export function useColours(dimension: string, ids: readonly string[]): (id: string) => string {
  const known = useRef({ dimension, tokens: new Map<string, string>() });
  if (known.current.dimension !== dimension) known.current = { dimension, tokens: new Map() };
  const { tokens } = known.current;
  for (const id of tokens.keys()) if (!ids.includes(id)) tokens.delete(id);
  for (const id of ids) if (!tokens.has(id)) tokens.set(id, id === REST_ID ? REST_COLOUR : findFree(tokens));
  return (id) => tokens.get(id) ?? REST_COLOUR;
}

function findFree(tokens: ReadonlyMap<string, string>): string {
  const used = new Set(tokens.values());
  for (let colour = 1; colour <= SERIES_MAX; colour += 1) {
    const token = `--series-${colour}`;
    if (!used.has(token)) return token;
  }
  return REST_COLOUR;
}
