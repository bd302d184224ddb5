import type { JSX } from "preact";
import type { Tone } from "../format/tones.ts";

interface MeterProps {
  /** Says what the bar shows, with its numbers, for screen readers and as its title. */
  readonly label: string;
  readonly value: number;
  /** A part beyond `value` that is taken but not used yet, such as reserved money. */
  readonly reserved?: number;
  readonly max: number;
}

const WARNING_SHARE = 0.8;

/** Returns the tone of a share of a limit: a warning from 80 %, bad from 100 %. */
export function toMeterTone(value: number, max: number): Tone {
  if (value >= max) return "bad";
  return value >= max * WARNING_SHARE ? "warning" : "accent";
}

/** A bar that shows how much of a limit is used. */
export function Meter({ label, value, reserved = 0, max }: MeterProps): JSX.Element {
  const toWidth = (part: number): string =>
    `${max > 0 ? Math.max(0, Math.min(100, (part / max) * 100)) : 100}%`;
  return (
    <div
      class={`meter tone-${toMeterTone(value + reserved, max)}`}
      role="img"
      aria-label={label}
      title={label}
    >
      <span style={{ width: toWidth(value) }} />
      <span class="meter-reserved" style={{ width: toWidth(Math.min(reserved, max - value)) }} />
    </div>
  );
}
