import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { THEME_CHANGE } from "../theme.tsx";
import type { ChartData } from "./chart-data.ts";
import { describeStep, Legend } from "./legend.tsx";
import { Plot } from "./plot.ts";

interface ChartProps {
  /** Names the chart for screen readers. */
  readonly label: string;
  /** Charts of a group share their crosshair. */
  readonly group: string;
  readonly data: ChartData;
  readonly size?: "small" | "large";
  /** Called when a part of the x axis was selected, in ms since 1970; `to` is excluded. */
  readonly onZoom: (from: number, to: number) => void;
}

/** A chart over time with its legend. The pointer or the arrow keys select a step, and dragging selects a period. */
export function Chart({ label, group, data, size = "small", onZoom }: ChartProps): JSX.Element {
  const [step, setStep] = useState<number>();
  const { container, plot } = usePlot(group, data, { onStep: setStep, onZoom });
  const move = (event: KeyboardEvent): void => {
    const next = toNextStep(event.key, step, data.times.length);
    if (next === "none") return;
    event.preventDefault();
    plot.current?.moveTo(next);
  };
  return (
    <figure class={`chart chart-${size}`}>
      <div
        ref={container}
        class="chart-plot"
        tabIndex={0}
        // A slider is a role for choosing one of many steps that every screen reader can operate.
        role="slider"
        aria-roledescription="chart"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={data.times.length - 1}
        aria-valuenow={step ?? data.times.length - 1}
        aria-valuetext={describeStep(data, step)}
        onKeyDown={move}
        onBlur={() => plot.current?.moveTo(undefined)}
      />
      <Legend data={data} step={step} />
    </figure>
  );
}

/** Returns the step that a key selects; undefined: no step; `none`: the key has no meaning. */
function toNextStep(key: string, step: number | undefined, count: number): number | undefined | "none" {
  const last = count - 1;
  switch (key) {
    case "ArrowLeft":
      return step === undefined ? last : Math.max(0, step - 1);
    case "ArrowRight":
      return step === undefined ? 0 : Math.min(last, step + 1);
    case "Home":
      return 0;
    case "End":
      return last;
    case "Escape":
      return undefined;
    default:
      return "none";
  }
}

interface Events {
  readonly onStep: (step: number | undefined) => void;
  readonly onZoom: (from: number, to: number) => void;
}

/** Creates the plot in an element and keeps it up to date with data, size and theme. */
function usePlot(
  group: string,
  data: ChartData,
  events: Events,
): { container: { current: HTMLDivElement | null }; plot: { current: Plot | null } } {
  const container = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | null>(null);
  const latest = useRef(events);
  latest.current = events;
  useEffect(() => {
    if (!container.current) return undefined;
    const created = new Plot(container.current, group, {
      onStep: (step) => latest.current.onStep(step),
      onZoom: (from, to) => latest.current.onZoom(from, to),
    });
    plot.current = created;
    const observer = new ResizeObserver(() => created.resize());
    observer.observe(container.current);
    const redraw = (): void => created.redraw();
    addEventListener(THEME_CHANGE, redraw);
    return () => {
      removeEventListener(THEME_CHANGE, redraw);
      observer.disconnect();
      created.destroy();
    };
  }, [group]);
  useEffect(() => plot.current?.show(data), [data]);
  return { container, plot };
}
