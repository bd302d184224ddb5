import type { JSX } from "preact";
import type { FailureLine, LedgerRow } from "../api/types.ts";
import { describeResult, ERROR_STATUS_MIN, OUTCOME_WORDS } from "../format/outcomes.ts";
import { Badge } from "./states.tsx";
import { Usd } from "./values.tsx";

type Result = Pick<LedgerRow, "outcome" | "status" | "provider">;

/** The outcome of a request in a word, with its status if that is an error; the title says more. */
export function ResultBadge(result: Result): JSX.Element {
  const { outcome, status } = result;
  if (outcome === null) return <Badge tone="accent">In flight</Badge>;
  const [word, tone] = OUTCOME_WORDS[outcome];
  return (
    <span title={describeResult(result)}>
      <Badge tone={tone}>
        {status >= ERROR_STATUS_MIN && `${status} `}
        {word}
      </Badge>
    </span>
  );
}

/** The outcome of a request in a list, where only those that are not complete are to catch the eye. */
export function Result(result: Result): JSX.Element {
  if (result.outcome !== "complete" || result.status >= ERROR_STATUS_MIN) return <ResultBadge {...result} />;
  return <span class="muted">{OUTCOME_WORDS.complete[0]}</span>;
}

/** Why requests failed: the status, if it is an error, and the reason in words. */
export function FailureText({
  line,
}: {
  line: Pick<FailureLine, "outcome" | "status" | "provider">;
}): JSX.Element {
  return (
    <>
      {line.status >= ERROR_STATUS_MIN && (
        <>
          <Badge tone={line.outcome === "rejected" ? "warning" : "bad"}>{line.status}</Badge>{" "}
        </>
      )}
      {describeResult(line)}
    </>
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
