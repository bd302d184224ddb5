import { globSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { listPanels, readDashboard, readRules } from "./support/deployed-queries.ts";

const RUNBOOK = "docs/operations/runbook.md";
const alerts = readRules().filter(({ alert }) => alert !== undefined);
const names = alerts.map(({ alert = "" }) => alert);

test("each alert has a severity, a summary, a description and a section of the runbook", () => {
  const incomplete = alerts.filter(
    ({ alert = "", labels = {}, annotations = {} }) =>
      !/^(?:critical|warning|info)$/.test(labels["severity"] ?? "") ||
      !/^[A-Z{].{10,90}$/.test(annotations["summary"] ?? "") ||
      !/^.{30,250}\.$/.test(annotations["description"] ?? "") ||
      annotations["runbook_url"] !== `${RUNBOOK}#${alert.toLowerCase()}`,
  );
  expect(incomplete).toEqual([]);
});

test("the runbook has one section for each alert, with its meaning, its effect and what to do", () => {
  const sections = readFileSync(RUNBOOK, "utf8").split(/^### /m).slice(1);
  expect(sections.map((section) => section.slice(0, section.indexOf("\n"))).toSorted()).toEqual(
    names.toSorted(),
  );
  const incomplete = sections.filter(
    (section) => !/\*\*Meaning:\*\* [\s\S]+\*\*Effect:\*\* [\s\S]+\*\*Do:\*\* ?[\s\S]+/.test(section),
  );
  expect(incomplete).toEqual([]);
});

test("each alert has a unit test in which it fires", () => {
  const fired = globSync("deploy/prometheus/tests/*.yaml")
    .map((path) => readFileSync(path, "utf8"))
    .flatMap((text) => [...text.matchAll(/labels: '\{alertname="(\w+)"\}'/g)].map(([, name = ""]) => name));
  expect([...new Set(fired)].toSorted()).toEqual(names.toSorted());
});

test("each panel of the dashboard has a unit, a description, legends, and its own place in the grid", () => {
  const panels = listPanels();
  const incomplete = panels.filter(
    ({ description = "", fieldConfig, targets = [] }) =>
      !/^.{20,250}\.$/.test(description) ||
      fieldConfig?.defaults.unit === undefined ||
      targets.length === 0 ||
      (targets.length > 1 && targets.some(({ legendFormat }) => legendFormat === "")),
  );
  expect(incomplete).toEqual([]);
  expect(new Set(readDashboard().panels.map(({ id }) => id)).size).toBe(readDashboard().panels.length);
  const overlapping = panels.filter((panel, index) =>
    panels
      .slice(index + 1)
      .some(
        ({ gridPos: { x, y, w, h } }) =>
          x < panel.gridPos.x + panel.gridPos.w &&
          panel.gridPos.x < x + w &&
          y < panel.gridPos.y + panel.gridPos.h &&
          panel.gridPos.y < y + h,
      ),
  );
  expect(overlapping).toEqual([]);
});

test("the dashboard can be imported: its data source is an input, and it names the types of its panels", () => {
  const { __inputs: inputs, __requires: requires, id: savedAs } = readDashboard();
  expect(savedAs).toBeNull();
  expect(inputs).toMatchObject([{ name: "DS_PROMETHEUS", type: "datasource", pluginId: "prometheus" }]);
  const types = [...new Set(listPanels().map(({ type }) => type))].toSorted();
  const required = requires.filter(({ type }) => type === "panel").map(({ id }) => id);
  expect(required.toSorted()).toEqual(types);
  const source = { type: "prometheus", uid: "${DS_PROMETHEUS}" };
  const others = listPanels().flatMap(({ datasource, targets = [] }) =>
    [datasource, ...targets.map((target) => target.datasource)].filter(
      (used) => used?.type !== source.type || used.uid !== source.uid,
    ),
  );
  expect(others).toEqual([]);
});

test("each query of the dashboard is restricted to the chosen job, namespace and instance", () => {
  const restriction = 'job=~"$job",namespace=~"$namespace",instance=~"$instance"';
  const unrestricted = listPanels()
    .flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
    .filter((expr) =>
      [...expr.matchAll(/\{([^}]*)\}/g)].some(([, selector]) => !selector?.includes(restriction)),
    );
  expect(unrestricted).toEqual([]);
});

test("without a choice, the dashboard shows the gateways, and not the processes of all other jobs", () => {
  const job = readDashboard().templating.list.find(({ name }) => name === "job");
  expect(job).toMatchObject({ definition: "label_values(sluice_build_info, job)", includeAll: true });
  // With a value for "All", process_cpu_seconds_total of every exporter would match.
  expect(job).not.toHaveProperty("allValue");
});

test("the metrics of the example deployments have a port that is not published", () => {
  const compose = parse(readFileSync("deploy/compose.yaml", "utf8"), { merge: true }) as {
    services: Record<string, { environment?: Record<string, string>; ports?: string[] }>;
  };
  const { "sluice-a": a, "sluice-b": b } = compose.services;
  for (const gateway of [a, b]) {
    expect(gateway?.environment).toMatchObject({ METRICS_PORT: "9464", METRICS_HOST: "0.0.0.0" });
    expect(gateway?.ports).toBeUndefined();
  }
});
