import { readdir, stat } from "node:fs/promises";
import {
  constants,
  monitorEventLoopDelay,
  type PerformanceNodeEntry,
  PerformanceObserver,
} from "node:perf_hooks";
import process from "node:process";
import { getHeapSpaceStatistics } from "node:v8";
import { Histogram, type Registry } from "prom-client";
import { readOpenFilesLimit } from "../http/descriptor-limit.ts";
import type { CollectorRegistry, MetricDefinition } from "./collector-registry.ts";

// The names are those of prom-client's default metrics, which dashboards expect. prom-client's implementation is not used, for
// three reasons. It lists all descriptors synchronously, which takes 12 to 60 ms with 10,000 of them. It counts only one of
// several garbage collections in a tick. Its event-loop lag contains the sampling interval.

const DESCRIPTORS = "/proc/self/fd";
/** Interval of the samples of the event-loop lag. They take 0.2 % of a core, and 0.5 % with an interval of 10 ms. */
const LAG_INTERVAL_MS = 20;
/** In seconds. Minor collections take about 1 ms, and major ones of a large heap up to 1 s. */
const GC_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];
const GC_KINDS: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: "major",
  [constants.NODE_PERFORMANCE_GC_MINOR]: "minor",
  [constants.NODE_PERFORMANCE_GC_MINOR_MARK_SWEEP]: "minor_mark_sweep",
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: "incremental",
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: "weakcb",
};

/** Adds the metrics of the process: CPU time, memory, descriptors, event-loop lag and garbage collection. */
export function registerProcess(registry: Registry, collectors: CollectorRegistry): void {
  addResources(collectors);
  addHeapSpaces(collectors);
  addDescriptors(collectors);
  addEventLoopLag(collectors);
  addGarbageCollection(registry);
}

function addResources(collectors: CollectorRegistry): void {
  collectors.add({
    name: "process",
    metrics: {
      process_cpu_user_seconds_total: { type: "counter", help: "CPU time in user mode." },
      process_cpu_system_seconds_total: { type: "counter", help: "CPU time in the kernel." },
      process_cpu_seconds_total: { type: "counter", help: "CPU time." },
      process_start_time_seconds: { type: "gauge", help: "Start of the process, in seconds since 1970." },
      process_resident_memory_bytes: { type: "gauge", help: "Resident memory." },
      nodejs_heap_size_total_bytes: { type: "gauge", help: "Size of the JavaScript heap." },
      nodejs_heap_size_used_bytes: { type: "gauge", help: "Used part of the JavaScript heap." },
      nodejs_external_memory_bytes: {
        type: "gauge",
        help: "Memory of JavaScript objects outside of the heap, such as Buffers.",
      },
    },
    read: () => {
      const { user, system } = process.cpuUsage();
      const { rss, heapTotal, heapUsed, external } = process.memoryUsage();
      return {
        process_cpu_user_seconds_total: user / 1e6,
        process_cpu_system_seconds_total: system / 1e6,
        process_cpu_seconds_total: (user + system) / 1e6,
        process_start_time_seconds: performance.timeOrigin / 1_000,
        process_resident_memory_bytes: rss,
        nodejs_heap_size_total_bytes: heapTotal,
        nodejs_heap_size_used_bytes: heapUsed,
        nodejs_external_memory_bytes: external,
      };
    },
  });
}

function addHeapSpaces(collectors: CollectorRegistry): void {
  collectors.add({
    name: "heap_spaces",
    metrics: {
      nodejs_heap_space_size_total_bytes: { type: "gauge", help: "Size of a space of the heap." },
      nodejs_heap_space_size_used_bytes: { type: "gauge", help: "Used part of a space of the heap." },
    },
    read: () => {
      const spaces = getHeapSpaceStatistics().map((space) => ({
        labels: { space: space.space_name.replace("_space", "") },
        ...space,
      }));
      return {
        nodejs_heap_space_size_total_bytes: spaces.map(({ labels, space_size: value }) => ({
          labels,
          value,
        })),
        nodejs_heap_space_size_used_bytes: spaces.map(({ labels, space_used_size: value }) => ({
          labels,
          value,
        })),
      };
    },
  });
}

/** Outside of Linux, the metrics are absent. */
function addDescriptors(collectors: CollectorRegistry): void {
  if (process.platform !== "linux") return;
  const max = readOpenFilesLimit();
  collectors.add({
    name: "descriptors",
    metrics: {
      process_open_fds: { type: "gauge", help: "Open file descriptors." },
      process_max_fds: { type: "gauge", help: "Maximum open file descriptors." },
    },
    read: async () => ({ process_open_fds: await countDescriptors(), process_max_fds: max }),
  });
}

/**
 * Counts the open descriptors. Since Linux 6.2, the size of the directory is their number, which takes 0.2 ms with 10,000 of
 * them. To list them in the thread pool blocks the event loop for 15 ms, because the names become JavaScript strings.
 */
async function countDescriptors(): Promise<number> {
  const { size } = await stat(DESCRIPTORS);
  // The descriptor with which the directory is listed is not counted.
  return size > 0 ? size : (await readdir(DESCRIPTORS)).length - 1;
}

const defineLag = (which: string): MetricDefinition => ({
  type: "gauge",
  help: `Delay of timers since the previous scrape: ${which}.`,
});

/** Converts a time between two samples to the lag of the second one, in seconds. */
const toLag = (ns: number): number => Math.max(0, ns / 1e9 - LAG_INTERVAL_MS / 1_000);

/** The metrics cover the time since the previous scrape. */
function addEventLoopLag(collectors: CollectorRegistry): void {
  const histogram = monitorEventLoopDelay({ resolution: LAG_INTERVAL_MS });
  histogram.enable();
  collectors.add({
    name: "event_loop",
    cacheMs: 1_000,
    metrics: {
      nodejs_eventloop_lag_mean_seconds: defineLag("mean"),
      nodejs_eventloop_lag_p50_seconds: defineLag("median"),
      nodejs_eventloop_lag_p90_seconds: defineLag("90th percentile"),
      nodejs_eventloop_lag_p99_seconds: defineLag("99th percentile"),
      nodejs_eventloop_lag_max_seconds: defineLag("maximum"),
    },
    read: () => {
      if (histogram.count === 0) return {};
      const lags = {
        nodejs_eventloop_lag_mean_seconds: toLag(histogram.mean),
        nodejs_eventloop_lag_p50_seconds: toLag(histogram.percentile(50)),
        nodejs_eventloop_lag_p90_seconds: toLag(histogram.percentile(90)),
        nodejs_eventloop_lag_p99_seconds: toLag(histogram.percentile(99)),
        nodejs_eventloop_lag_max_seconds: toLag(histogram.max),
      };
      histogram.reset();
      return lags;
    },
  });
}

function addGarbageCollection(registry: Registry): void {
  const durations = new Histogram({
    name: "nodejs_gc_duration_seconds",
    help: "Durations of garbage collections, during which the event loop is blocked.",
    labelNames: ["kind"],
    buckets: GC_BUCKETS,
    registers: [registry],
  });
  const observer = new PerformanceObserver((list) => {
    for (const { detail, duration } of list.getEntries() as PerformanceNodeEntry[]) {
      const kind = GC_KINDS[(detail as { readonly kind: number }).kind];
      if (kind !== undefined) durations.observe({ kind }, duration / 1_000);
    }
  });
  observer.observe({ entryTypes: ["gc"] });
}
