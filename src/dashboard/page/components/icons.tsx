import type { JSX } from "preact";

/** Paths of the icons, drawn on a grid of 20 by 20 with a stroke. */
const PATHS = {
  overview: "M3 17V9m5 8V4m5 13v-6m5 6V7",
  requests: "M3 5h14M3 10h14M3 15h9",
  keys: "M12.5 7.5a4 4 0 1 1-3.4 5.6L4 18H2v-3l1.5-1 .5-2 2-.5 1-1.5M14 6h.01",
  models: "M10 2l7 4v8l-7 4-7-4V6zM3 6l7 4 7-4M10 10v8",
  health: "M2 10h4l2-5 4 10 2-5h4",
  reference: "M4 3h9l3 3v11H4zM7 9h6M7 13h6",
} as const;

export type IconName = keyof typeof PATHS;

/** A decorative icon, which screen readers skip. */
export function Icon({ name }: { name: IconName }): JSX.Element {
  return (
    <svg
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      stroke-width="1.6"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
