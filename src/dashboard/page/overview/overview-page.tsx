import type { JSX } from "preact";
import { Page } from "../components/layout.tsx";

/** Spend, requests, errors and latency over time. */
export function OverviewPage(): JSX.Element {
  return <Page title="Overview">{undefined}</Page>;
}
