import type { JSX } from "preact";
import type { LedgerRow } from "../api/types.ts";
import { Badge, type Tone } from "../components/states.tsx";
import { Usd } from "../components/values.tsx";

type Result = Pick<LedgerRow, "outcome" | "status">;

/** Outcomes in words, with the tone that their badges have. */
export const OUTCOME_WORDS: Readonly<Record<NonNullable<LedgerRow["outcome"]>, readonly [string, Tone]>> = {
  complete: ["Complete", "good"],
  upstream_error: ["Upstream error", "bad"],
  client_gone: ["Cancelled", "neutral"],
  rejected: ["Refused", "warning"],
  interrupted: ["Interrupted", "bad"],
};

/** The outcome of a request in words, with its status if that is an error. */
export function ResultBadge({ outcome, status }: Result): JSX.Element {
  if (outcome === null) return <Badge tone="accent">In flight</Badge>;
  const [word, tone] = OUTCOME_WORDS[outcome];
  return (
    <Badge tone={tone}>
      {word}
      {status >= 400 && ` ${status}`}
    </Badge>
  );
}

/** The cost of a request, shortened, or why there is none. */
export function Cost({ row }: { row: Pick<LedgerRow, "state" | "cost_usd"> }): JSX.Element {
  if (row.cost_usd !== null) return <Usd usd={row.cost_usd} />;
  if (row.state === "unknown") return <Badge tone="warning">unknown</Badge>;
  return <span class="muted">{row.state === "open" ? "–" : "pending"}</span>;
}

type ModelNames = Pick<LedgerRow, "requested_model" | "forwarded_model" | "response_model">;

/** The model that the client requested and, if it differs in more than the optional prefix, the model that was served. */
export function Models({ row }: { row: ModelNames }): JSX.Element {
  const { requested_model: requested, forwarded_model: forwarded, response_model: served } = row;
  const isPrefixed = forwarded !== null && requested === `openrouter/${forwarded}`;
  const names = [isPrefixed ? forwarded : requested, served ?? forwarded].filter((name) => name !== null);
  const text = [...new Set(names)].join(" → ");
  return (
    <span class="clip models" title={text}>
      {text === "" ? "–" : text}
    </span>
  );
}
