import type { JSX } from "preact";
import type { HealthJson } from "../../../admin/health-schema.ts";
import { useApi } from "../api/use-api.ts";
import { Choices } from "../components/controls.tsx";
import { Page } from "../components/layout.tsx";
import { Loaded } from "../components/states.tsx";
import { useUrlParams } from "../components/use-url-params.ts";
import { Account } from "./account.tsx";
import { Alerts } from "./alerts.tsx";
import { Audit } from "./audit.tsx";
import { Capacity } from "./capacity.tsx";
import { Components } from "./components.tsx";
import { Configuration } from "./configuration.tsx";
import { Failures } from "./failures.tsx";
import { Ledger } from "./ledger.tsx";
import { Replicas } from "./replicas.tsx";
import { Verdict } from "./verdict.tsx";
import "./health.css";

const VIEWS = [
  ["status", "Status"],
  ["events", "Alerts and audit"],
  ["configuration", "Configuration"],
] as const;
type View = (typeof VIEWS)[number][0];

/** The state of the gateway: whether it works, what is wrong, and what happened. */
export function HealthPage(): JSX.Element {
  const { params, setParams } = useUrlParams(["view"]);
  const view = VIEWS.find(([name]) => name === params.view)?.[0] ?? "status";
  return (
    <Page
      title="Health"
      actions={
        <Choices<View>
          label="Part of the page"
          value={view}
          options={VIEWS}
          onChange={(next) => setParams({ view: next === "status" ? undefined : next })}
        />
      }
    >
      {view === "status" && <Status />}
      {view === "events" && (
        <>
          <Alerts />
          <Audit />
        </>
      )}
      {view === "configuration" && <Configuration />}
    </Page>
  );
}

function Status(): JSX.Element {
  const query = useApi<HealthJson>("/health");
  return (
    <>
      <Loaded query={query} lines={10}>
        {(health) => (
          <>
            <Verdict health={health} />
            <div class="grid">
              <Components health={health} />
              <Capacity health={health} />
            </div>
            <Ledger health={health} />
          </>
        )}
      </Loaded>
      <Failures />
      {query.data !== undefined && (
        <div class="grid">
          <Account health={query.data} />
          <Replicas health={query.data} />
        </div>
      )}
    </>
  );
}
