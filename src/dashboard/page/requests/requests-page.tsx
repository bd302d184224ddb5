import type { JSX } from "preact";
import { Page } from "../components/layout.tsx";

/** The requests of the ledger, newest first. */
export function RequestsPage(): JSX.Element {
  return <Page title="Requests">{undefined}</Page>;
}
