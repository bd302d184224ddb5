import { globSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { runPromtool, startPrometheus } from "../support/prometheus.ts";
import { waitUntil } from "../support/wait.ts";

const TIMEOUT_MS = 60_000;

test("promtool accepts the rules and the configuration", async () => {
  expect(await runPromtool(["check", "rules", "deploy/prometheus/rules.yaml"])).toContain("SUCCESS");
  expect(await runPromtool(["check", "config", "deploy/prometheus/prometheus.yaml"])).toContain("SUCCESS");
});

test(
  "the unit tests of the rules pass",
  async () => {
    const files = globSync("deploy/prometheus/tests/*.yaml");
    expect(files.length).toBeGreaterThan(3);
    expect(await runPromtool(["test", "rules", ...files])).not.toContain("FAILED");
  },
  TIMEOUT_MS,
);

/** Returns a target with the labels that Prometheus finds out about a container port of a pod. */
const createPod = (name: string, fields: Record<string, string> = {}): object => ({
  targets: ["127.0.0.1:1"],
  labels: {
    __meta_kubernetes_namespace: "team",
    __meta_kubernetes_pod_name: name,
    __meta_kubernetes_pod_phase: "Running",
    __meta_kubernetes_pod_label_app: "sluice",
    __meta_kubernetes_pod_annotation_prometheus_io_scrape: "true",
    __meta_kubernetes_pod_container_port_name: "metrics",
    ...fields,
  },
});

test(
  "the Kubernetes job scrapes each running gateway once, at its port for metrics",
  async () => {
    const { scrape_configs: jobs } = parse(readFileSync("deploy/prometheus/kubernetes.yaml", "utf8")) as {
      scrape_configs: [{ kubernetes_sd_configs: unknown }];
    };
    const { kubernetes_sd_configs: discovery, ...job } = jobs[0];
    expect(discovery).toEqual([{ role: "pod" }]);
    const pods = [
      createPod("sluice-0"),
      createPod("sluice-0", { __meta_kubernetes_pod_container_port_name: "http" }),
      createPod("sluice-1"),
      createPod("sluice-2", { __meta_kubernetes_pod_phase: "Failed" }),
      createPod("other-0", { __meta_kubernetes_pod_label_app: "other" }),
      createPod("silent-0", { __meta_kubernetes_pod_annotation_prometheus_io_scrape: "" }),
    ];
    const prometheus = await startPrometheus([{ ...job, static_configs: pods }]);
    const targets = await waitUntil(async () => {
      const found = await prometheus.listTargets();
      return found.length > 0 ? found : undefined;
    }, "targets");
    const labels = targets
      .map((target) => target.labels)
      .toSorted((a, b) => (String(a["instance"]) < String(b["instance"]) ? -1 : 1));
    expect(labels).toEqual(
      ["sluice-0", "sluice-1"].map((instance) => ({ instance, job: "sluice", namespace: "team" })),
    );
  },
  TIMEOUT_MS,
);

test("the pods of the Kubernetes example have the labels, the annotation and the port that the job expects", () => {
  const [set, service] = parseAllDocuments(readFileSync("deploy/kubernetes.yaml", "utf8")).map(
    (document) => document.toJS() as unknown,
  );
  expect(set).toMatchObject({
    spec: {
      template: {
        metadata: {
          labels: { app: "sluice" },
          annotations: { "prometheus.io/scrape": "true", "prometheus.io/port": "9464" },
        },
        spec: {
          containers: [
            {
              ports: [{ name: "http" }, { name: "metrics", containerPort: 9464 }],
              env: expect.arrayContaining([{ name: "METRICS_PORT", value: "9464" }]) as unknown,
            },
          ],
        },
      },
    },
  });
  expect(service).toMatchObject({ spec: { ports: [{ name: "http" }] } });
  expect((service as { spec: { ports: unknown[] } }).spec.ports).toHaveLength(1);
});
