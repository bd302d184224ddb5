import { readFileSync } from "node:fs";
import { parse } from "yaml";

const DASHBOARD = "deploy/grafana/sluice.json";
const RULES = "deploy/prometheus/rules.yaml";

interface DataSource {
  readonly type: string;
  readonly uid: string;
}

interface Query {
  readonly refId: string;
  readonly expr: string;
  readonly legendFormat: string;
  readonly datasource?: DataSource;
}

/** A panel of the dashboard, or a row of panels. */
export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly datasource?: DataSource;
  readonly targets?: readonly Query[];
}

interface Dashboard {
  readonly id: number | null;
  readonly __inputs: readonly object[];
  readonly __requires: readonly { readonly type: string; readonly id: string }[];
  readonly panels: readonly Panel[];
  readonly annotations: { readonly list: readonly { readonly name: string; readonly expr?: string }[] };
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string; readonly definition?: string }[];
  };
}

/** A recording or alerting rule. */
export interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export const readDashboard = (): Dashboard => JSON.parse(readFileSync(DASHBOARD, "utf8")) as Dashboard;

/** Returns the panels that show data. */
export const listPanels = (): readonly Panel[] => readDashboard().panels.filter(({ type }) => type !== "row");

/** Returns all rules of `deploy/prometheus/rules.yaml`. */
export function readRules(): readonly Rule[] {
  const { groups } = parse(readFileSync(RULES, "utf8")) as { groups: { rules: Rule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

/** Replaces the variables of the dashboard as Grafana does when "All" is chosen. */
export const substitute = (expression: string): string =>
  expression
    .replaceAll("$job", "(sluice)")
    .replaceAll(/\$(?:namespace|instance|model)\b/g, ".*")
    .replaceAll("$__rate_interval", "1m");

/** Returns every expression of the dashboard and of the rules, with its place. */
export function listExpressions(): readonly { readonly place: string; readonly expr: string }[] {
  const { templating, annotations } = readDashboard();
  return [
    ...listPanels().flatMap(({ title, targets = [] }) =>
      targets.map(({ expr, refId }) => ({ place: `panel "${title}" ${refId}`, expr: substitute(expr) })),
    ),
    ...templating.list.flatMap(({ name, definition = "" }) => {
      const [, selector] = /^label_values\((.*), \w+\)$/.exec(definition) ?? [];
      return selector === undefined ? [] : [{ place: `variable ${name}`, expr: substitute(selector) }];
    }),
    ...annotations.list.flatMap(({ name, expr }) =>
      expr === undefined ? [] : [{ place: `annotation ${name}`, expr: substitute(expr) }],
    ),
    ...readRules().map(({ record, alert, expr }) => ({ place: `rule ${record ?? alert}`, expr })),
  ];
}

/** Returns the metrics that an expression reads, and the names of the labels that it uses. */
export function parseNames(expression: string): { readonly metrics: string[]; readonly labels: string[] } {
  const metrics = [...expression.matchAll(/\b(?:sluice|process|nodejs)_\w+/g)].map(([name]) => name);
  const selectors = [...expression.matchAll(/\{([^}]*)\}/g)].flatMap(([, selector = ""]) =>
    [...selector.matchAll(/(\w+) *(?:=|!=|=~|!~) *"/g)].map(([, label = ""]) => label),
  );
  const lists = [
    ...expression.matchAll(/\b(?:by|on|without|ignoring|group_left|group_right) *\(([^)]*)\)/g),
  ].flatMap(([, list = ""]) => list.split(",").map((label) => label.trim()));
  const labels = [...selectors, ...lists].filter((label) => label !== "");
  return { metrics: [...new Set(metrics)], labels: [...new Set(labels)] };
}
