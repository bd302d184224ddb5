import type { JSX } from "preact";
import type { HealthJson } from "../../../admin/health-schema.ts";
import { Card, Stat, Stats } from "../components/layout.tsx";
import { Usd } from "../components/values.tsx";
import { describeBalance } from "./problems.ts";

/** The money that is left at OpenRouter. */
export function Account({ health: { account } }: { health: HealthJson }): JSX.Element {
  return (
    <Card title="Credit at OpenRouter" isFlush>
      {account === null || account.balances.length === 0 ? (
        <p class="card-body muted">
          {account === null
            ? "Not read, because ACCOUNT_POLL_MS is 0. Set it to see here when the money runs out."
            : "No balance is known: the gateway’s key has no limit at OpenRouter, or the first reading is due. Set OPENROUTER_MANAGEMENT_KEY to read the credit of the account too."}
        </p>
      ) : (
        <Stats>
          {account.balances.map(({ source, remaining_usd }) => (
            <Stat key={source} label={describeBalance(source)} hint="Left, at most five minutes ago">
              <Usd usd={remaining_usd} />
            </Stat>
          ))}
        </Stats>
      )}
    </Card>
  );
}
