import type { JSX } from "preact";
import { Page } from "../components/layout.tsx";

/** One key. @param props.id of the key. */
export function KeyPage({ id: _id }: { id: string }): JSX.Element {
  return <Page title="Key">{undefined}</Page>;
}
