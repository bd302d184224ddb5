import type { JSX } from "preact";
import { Page } from "../components/layout.tsx";

/** The keys and groups. */
export function KeysPage(): JSX.Element {
  return <Page title="Keys">{undefined}</Page>;
}
