import type { ComponentChildren, JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { Button } from "../components/controls.tsx";
import { downloadCsv } from "../components/download.ts";
import { Card } from "../components/layout.tsx";
import { type Column, Table } from "../components/table.tsx";
import { Chart } from "./chart.tsx";
import type { ChartData } from "./chart-data.ts";
import { formatStep } from "./time-axis.ts";

interface ChartCardProps {
  readonly title: string;
  readonly group: string;
  readonly data: ChartData;
  readonly size?: "small" | "large";
  /** Controls of the chart. */
  readonly actions?: ComponentChildren;
  readonly onZoom: (from: number, to: number) => void;
}

/** A chart in a card, which readers can turn into a table with the same numbers. */
export function ChartCard({ title, actions, ...chart }: ChartCardProps): JSX.Element {
  const [isTable, setIsTable] = useState(false);
  return (
    <Card
      title={title}
      isFlush
      actions={
        <>
          {actions}
          {isTable && (
            <Button size="small" kind="plain" onClick={() => downloadChart(title, chart.data)}>
              CSV
            </Button>
          )}
          <Button size="small" kind="plain" onClick={() => setIsTable(!isTable)}>
            <span class="visually-hidden">Show {title} as </span>
            {isTable ? "Chart" : "Table"}
          </Button>
        </>
      }
    >
      {isTable ? <ChartTable title={title} data={chart.data} /> : <Chart {...chart} label={title} />}
    </Card>
  );
}

function ChartTable({ title, data }: { title: string; data: ChartData }): JSX.Element {
  const { times, stepMs, series, format } = data;
  const steps = useMemo(() => times.map((_, step) => step).toReversed(), [times]);
  const columns: Column<number>[] = [
    { id: "time", header: "Time", render: (step) => formatStep(times[step] ?? 0, stepMs) },
    ...series.map(({ id, label, values }) => ({
      id,
      header: label,
      isNumber: true,
      render: (step: number) => format(values[step] ?? null),
    })),
  ];
  return (
    <div class="chart-table">
      <Table caption={`${title} over time`} columns={columns} rows={steps} toKey={String} />
    </div>
  );
}

function downloadChart(title: string, { times, series }: ChartData): void {
  downloadCsv(
    title.toLowerCase().replaceAll(/\W+/g, "-"),
    ["time", ...series.map(({ label }) => label)],
    times.map((at, step) => [
      new Date(at).toISOString(),
      ...series.map(({ values }) => values[step] ?? null),
    ]),
  );
}
