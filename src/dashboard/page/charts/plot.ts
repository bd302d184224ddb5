import uPlot from "uplot";
import { type ChartData, type ChartSeries, findIsolated, snapToSteps, stackValues } from "./chart-data.ts";
import { Palette } from "./palette.ts";
import { DAY_MS, formatTick } from "./time-axis.ts";

const AXIS_FONT_PX = 11;
const Y_AXIS_PX = 58;
const X_AXIS_PX = 26;
const GRID_SPACE_PX = 34;
const TICK_SPACE_PX = 64;
/** Shorter drags are clicks. */
const DRAG_MIN_PX = 6;
const COUNT_STEPS = Array.from({ length: 16 }, (_, power) =>
  [1, 2, 5].map((digit) => digit * 10 ** power),
).flat();

/** Callbacks of a plot. */
export interface PlotEvents {
  /** Called with the step below the pointer; undefined: none. */
  readonly onStep: (step: number | undefined) => void;
  /** Called when a period was selected, in ms since 1970; `to` is excluded. */
  readonly onZoom: (from: number, to: number) => void;
}

/** Draws a chart with uPlot. Plots with the same group share their crosshair. */
export class Plot {
  readonly #container: HTMLElement;
  readonly #group: string;
  readonly #events: PlotEvents;
  readonly #palette: Palette;
  #plot: uPlot | undefined;
  #data: ChartData | undefined;
  #shape = "";

  constructor(container: HTMLElement, group: string, events: PlotEvents) {
    this.#container = container;
    this.#group = group;
    this.#events = events;
    this.#palette = new Palette(container);
  }

  /** Shows data. The plot, with the crosshair and a selection in progress, stays if only values have changed. */
  show(data: ChartData): void {
    this.#data = data;
    const shape = JSON.stringify([
      data.kind,
      data.stepMs,
      data.series.map(({ id, colour, isDashed }) => [id, colour, isDashed]),
    ]);
    if (this.#plot && shape === this.#shape) {
      this.#plot.setData(toPlotData(data));
      return;
    }
    this.#shape = shape;
    this.redraw();
  }

  /** Draws everything again, with the colours of the present theme. */
  redraw(): void {
    if (!this.#data) return;
    this.#plot?.destroy();
    this.#plot = new uPlot(this.#createOptions(this.#data), toPlotData(this.#data), this.#container);
  }

  /** Fits the plot to its container. */
  resize(): void {
    const { clientWidth: width, clientHeight: height } = this.#container;
    if (this.#plot && width > 0) this.#plot.setSize({ width, height });
  }

  /** Moves the crosshair of all plots of the group. @param step undefined: hides the crosshair. */
  moveTo(step: number | undefined): void {
    for (const plot of uPlot.sync(this.#group).plots) {
      const at = step === undefined ? undefined : plot.data[0]?.[step];
      plot.setCursor(
        at === undefined
          ? { left: -10, top: -10 }
          : { left: plot.valToPos(at, "x"), top: plot.over.clientHeight / 2 },
      );
    }
  }

  destroy(): void {
    this.#plot?.destroy();
  }

  #createOptions(data: ChartData): uPlot.Options {
    const { clientWidth: width, clientHeight: height } = this.#container;
    // The lists of uPlot begin with the x axis. Bars are drawn from the top of the stack to its base.
    const series = data.kind === "bars" ? data.series.toReversed() : data.series;
    return {
      width: Math.max(width, 1),
      height,
      ms: 1,
      // The ticks of days are where the steps begin, in UTC.
      ...(data.stepMs >= DAY_MS && { tzDate: (at: number) => uPlot.tzDate(new Date(at), "Etc/UTC") }),
      padding: [8, 18, 0, 0],
      legend: { show: false },
      scales: {
        x: { time: true, range: () => this.#toTimeRange() },
        y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.06 : 1] },
      },
      axes: this.#createAxes(data),
      series: [{}, ...series.map((line) => this.#createSeries(line, data.kind))],
      cursor: {
        y: false,
        // Only the plot that is dragged selects a period.
        sync: {
          key: this.#group,
          setSeries: false,
          scales: ["x", null],
          filters: { pub: (type) => !["mousedown", "mouseup"].includes(type) },
        },
        drag: { x: true, y: false, setScale: false, dist: DRAG_MIN_PX },
        points: { show: data.kind === "lines", size: 7 },
        move: snapToMiddle,
        bind: { dblclick: () => null },
      },
      hooks: {
        setCursor: [({ cursor }) => this.#events.onStep(cursor.idx ?? undefined)],
        setSelect: [(plot) => this.#zoom(plot)],
      },
    };
  }

  #toTimeRange(): [number, number] {
    const { times = [], stepMs = 1 } = this.#data ?? {};
    return [times[0] ?? 0, (times.at(-1) ?? 0) + stepMs];
  }

  #createAxes({ stepMs, format, isCount }: ChartData): uPlot.Axis[] {
    const font = this.#palette.font(AXIS_FONT_PX);
    const stroke = this.#palette.resolve("--text-muted");
    const line = { stroke: this.#palette.resolve("--border"), width: 1 };
    return [
      {
        font,
        stroke,
        size: X_AXIS_PX,
        space: TICK_SPACE_PX,
        gap: 6,
        grid: { show: false },
        ticks: { ...line, size: 4 },
        values: (_plot, splits) => splits.map((at) => formatTick(at, stepMs)),
      },
      {
        font,
        stroke,
        size: Y_AXIS_PX,
        space: GRID_SPACE_PX,
        gap: 8,
        grid: line,
        ticks: { show: false },
        values: (_plot, splits) => splits.map((value) => format(value)),
        ...(isCount === true && { incrs: COUNT_STEPS }),
      },
    ];
  }

  #createSeries({ colour, isDashed, label }: ChartSeries, kind: ChartData["kind"]): uPlot.Series {
    const stroke = this.#palette.resolve(colour);
    if (kind === "bars") {
      const paths = uPlot.paths.bars?.({ size: [0.8, 44, 1] });
      return { label, fill: stroke, width: 0, points: { show: false }, ...(paths && { paths }) };
    }
    return {
      label,
      stroke,
      width: 2,
      ...(isDashed === true && { dash: [4, 4] }),
      points: {
        show: true,
        size: 5,
        fill: stroke,
        filter: (plot, at) => findIsolated([...(plot.data[at] ?? [])]),
      },
    };
  }

  #zoom(plot: uPlot): void {
    const { left, width } = plot.select;
    if (!this.#data || width === 0) return;
    const { from, to } = snapToSteps(this.#data, plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.#events.onZoom(from, to);
  }
}

/** Moves a crosshair to the middle of its step. A position below 0 means that there is none. */
function snapToMiddle(plot: uPlot, left: number, top: number): [left: number, top: number] {
  const middle = left < 0 ? undefined : plot.data[0]?.[plot.posToIdx(left)];
  return [middle === undefined ? left : plot.valToPos(middle, "x"), top];
}

/** Values are drawn at the middle of their step, so that the axis has room for the whole of each step. */
function toPlotData({ kind, times, stepMs, series }: ChartData): uPlot.AlignedData {
  const values = kind === "bars" ? stackValues(series).toReversed() : series.map((line) => [...line.values]);
  return [times.map((at) => at + stepMs / 2), ...values];
}
