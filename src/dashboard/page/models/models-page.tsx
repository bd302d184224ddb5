import type { JSX } from "preact";
import { Page } from "../components/layout.tsx";

/** The models of the catalogue. */
export function ModelsPage(): JSX.Element {
  return <Page title="Models">{undefined}</Page>;
}
