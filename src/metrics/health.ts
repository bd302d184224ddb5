import type { ComponentHealth } from "../endpoints/component-health.ts";
import { NANODOLLARS_PER_USD } from "../money.ts";
import type { AccountBalance } from "../upstream/account-balance.ts";
import type { CollectorRegistry } from "./collector-registry.ts";

export interface HealthSources {
  readonly components: ComponentHealth;
  /** undefined without an OpenRouter account, and if `ACCOUNT_POLL_MS` is 0. */
  readonly account: AccountBalance | undefined;
}

/** Adds the metrics of the components that `/readyz` checks, and of the money at OpenRouter. */
export function registerHealth(collectors: CollectorRegistry, { components, account }: HealthSources): void {
  collectors.add({
    name: "components",
    // A failed check takes two seconds.
    deadlineMs: 3_000,
    metrics: {
      sluice_component_up: {
        type: "gauge",
        help: "1 if the check of the component in /readyz succeeds, otherwise 0.",
      },
    },
    read: async () => ({
      sluice_component_up: (await components.check()).map(({ name, works }) => ({
        labels: { component: name },
        value: Number(works),
      })),
    }),
  });
  if (!account) return;
  collectors.add({
    name: "account",
    metrics: {
      sluice_account_remaining_usd: {
        type: "gauge",
        help: "Money left at OpenRouter as of the last poll; absent if nothing limits it, or after polls failed for 5 minutes.",
      },
    },
    read: () => ({
      sluice_account_remaining_usd: account.known.map(({ source, remainingNanodollars }) => ({
        labels: { source },
        value: remainingNanodollars / NANODOLLARS_PER_USD,
      })),
    }),
  });
}
