import type { JSX } from "preact";
import type { HealthJson } from "../../../admin/health-schema.ts";
import { Card, Stat, Stats } from "../components/layout.tsx";
import { Empty } from "../components/states.tsx";
import { Usd } from "../components/values.tsx";
import { describeBalance } from "./problems.ts";

/** The money that is left at OpenRouter. */
export function Account({ health: { account } }: { health: HealthJson }): JSX.Element {
  return (
    <Card title="Money at OpenRouter">
      {account === null || account.balances.length === 0 ? (
        <Empty title="Nothing to show">
          {account === null
            ? "The balance is not read, because ACCOUNT_POLL_MS is 0."
            : "The key has no limit, or the balance was not read yet. With OPENROUTER_MANAGEMENT_KEY, the credit of the account is read too."}
        </Empty>
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
