import type { JSX } from "preact";

const percent = new Intl.NumberFormat("en-US", { style: "percent", maximumFractionDigits: 0 });
const SMALL = 0.005;
/** Changes of a bad value are coloured from this size on. */
const NOTABLE = 0.1;
/** From here on, a change is shown as a factor, because its percentage says little. */
const FACTOR_MIN = 10;
/** Above this factor, the previous period had almost nothing, for example because the gateway was new. */
const FACTOR_MAX = 100;

interface ChangeProps {
  readonly now: number | null;
  readonly before: number | null | undefined;
  /** Whether more is worse, so that the change has a colour. */
  readonly isBad?: boolean;
  readonly format: (value: number) => string;
  /** Names the previous period, if the text is to name it. */
  readonly than?: string;
}

/** How a number has changed since the previous period; nothing while that is not known. */
export function Change({ now, before, isBad = false, format, than }: ChangeProps): JSX.Element | null {
  if (now === null || before === null || before === undefined) return null;
  const title = `Previous period: ${format(before)}`;
  if (before === 0) return now === 0 ? null : <span title={title}>none before</span>;
  if (now / before > FACTOR_MAX) return <span title={title}>almost none before</span>;
  const change = now / before - 1;
  if (Math.abs(change) < SMALL) return <span title={title}>unchanged</span>;
  const tone = !isBad || Math.abs(change) < NOTABLE ? "" : change > 0 ? "change-bad" : "change-good";
  return (
    <span class={`change ${tone}`} title={title}>
      <span aria-hidden="true">{change > 0 ? "↑" : "↓"}</span>
      <span class="visually-hidden">{change > 0 ? "up" : "down"} </span> {formatSize(change)}
      {than !== undefined && ` vs ${than}`}
    </span>
  );
}

function formatSize(change: number): string {
  const factor = change + 1;
  return factor >= FACTOR_MIN ? `×${Math.round(factor)}` : percent.format(Math.abs(change));
}
