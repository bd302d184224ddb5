import type { JSX } from "preact";
import { Page } from "../components/layout.tsx";

/** The state of the gateway. */
export function HealthPage(): JSX.Element {
  return <Page title="Health">{undefined}</Page>;
}
