import { expect } from "vitest";

/** One sample of a scrape. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The samples of one scrape. */
export interface Scrape {
  readonly text: string;
  readonly samples: readonly Sample[];
  /** Returns the sum of all samples that have this name and at least these labels; undefined if there are none. */
  readonly sum: (name: string, labels?: Readonly<Record<string, string>>) => number | undefined;
}

/** Reads the metrics of a gateway, as Prometheus does. @param url `metricsUrl` of the gateway. */
export async function scrape(url: string | undefined): Promise<Scrape> {
  const response = await fetch(url ?? "", { signal: AbortSignal.timeout(10_000) });
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  return parseScrape(await response.text());
}

/** Parses metrics in the text format. */
export function parseScrape(text: string): Scrape {
  const samples = text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => parseSample(line));
  return {
    text,
    samples,
    sum: (name, labels = {}) => {
      const matching = samples.filter(
        (sample) =>
          sample.name === name &&
          Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
      );
      return matching.length === 0 ? undefined : matching.reduce((total, { value }) => total + value, 0);
    },
  };
}

/** Parses a line such as `name{label="value"} 1`. */
function parseSample(line: string): Sample {
  const [, name = "", labels = "", value = ""] = /^([\w:]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  if (name === "") throw new Error(`not a sample: ${line}`);
  const pairs = Array.from(labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g), ([, label, text]) => [
    label,
    text?.replaceAll(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char)),
  ]);
  return { name, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) };
}
