import type { JSX } from "preact";
import { formatExactUsd, formatUsd, NO_VALUE } from "../format/numbers.ts";
import { formatAge, formatTime } from "../format/times.ts";

/** A time in the viewer's time zone; its title states it in UTC. @param at ISO 8601. */
export function Time({ at }: { at: string | null }): JSX.Element {
  if (at === null) return <>{NO_VALUE}</>;
  return (
    <time dateTime={at} title={at} class="nowrap">
      {formatTime(at)}
    </time>
  );
}

/** The distance of a time from now; its title states the time. @param at ISO 8601; null: never. */
export function Age({ at }: { at: string | null }): JSX.Element {
  if (at === null) return <span class="muted">never</span>;
  return (
    <time dateTime={at} title={`${formatTime(at)} (${at})`} class="nowrap">
      {formatAge(at)}
    </time>
  );
}

/** An amount of US dollars, shortened; its title has all digits. @param usd exact decimal digits. */
export function Usd({ usd }: { usd: string | null | undefined }): JSX.Element {
  return <span title={formatExactUsd(usd)}>{formatUsd(usd)}</span>;
}

/** A name of any length, shortened; its title has all of it. */
export function Name({ text }: { text: string | null | undefined }): JSX.Element {
  if (text === null || text === undefined || text === "") return <span class="muted">{NO_VALUE}</span>;
  return (
    <span class="clip" title={text}>
      {text}
    </span>
  );
}
