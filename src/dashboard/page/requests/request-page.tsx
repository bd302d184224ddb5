import type { JSX } from "preact";
import { Page } from "../components/layout.tsx";

/** The record of one request. @param props.id of its row. */
export function RequestPage({ id: _id }: { id: string }): JSX.Element {
  return <Page title="Request">{undefined}</Page>;
}
