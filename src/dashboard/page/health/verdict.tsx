import type { JSX } from "preact";
import type { HealthJson } from "../../../admin/health-schema.ts";
import { Notice } from "../components/states.tsx";
import { findProblems } from "./problems.ts";

/** Says in one sentence whether the gateway works; otherwise each problem with its remedy. */
export function Verdict({ health }: { health: HealthJson }): JSX.Element {
  const problems = findProblems(health);
  if (problems.length === 0) {
    return (
      <Notice tone="good">
        <strong class="verdict">Everything works</strong>
        <span class="muted">All components respond, no limit is near, and no cost is missing.</span>
      </Notice>
    );
  }
  const isBad = problems.some(({ tone }) => tone === "bad");
  return (
    <Notice tone={isBad ? "bad" : "warning"}>
      <strong class="verdict">
        {isBad ? "The gateway does not work as it should" : "The gateway works, with something to look at"}
      </strong>
      <ul class="problems">
        {problems.map(({ title, remedy, tone }) => (
          <li key={title}>
            <strong>{title}.</strong> {tone === "bad" && <span class="visually-hidden">Serious. </span>}
            {remedy}
          </li>
        ))}
      </ul>
    </Notice>
  );
}
