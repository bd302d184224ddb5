// `npm run sim:restarts`: restarts two gateways in turn under load, and counts the requests that clients lose.
import { parseArgs } from "node:util";
import { PROCEDURES, type Procedure, restartInTurn } from "./rolling.ts";

const FILES: Readonly<Record<string, readonly (string | undefined)[]>> = {
  haproxy: ["haproxy.cfg"],
  nginx: ["nginx.conf"],
  caddy: ["Caddyfile"],
  both: ["haproxy.cfg", "nginx.conf"],
  none: [undefined],
};

const { values } = parseArgs({
  options: {
    restarts: { type: "string", default: "4" },
    balancer: { type: "string", default: "both" },
    procedure: { type: "string", default: "plain" },
    callers: { type: "string", default: "48" },
    seed: { type: "string", default: "1" },
    env: { type: "string", multiple: true, default: [] },
    losses: { type: "boolean", default: false },
  },
});

const files = FILES[values.balancer];
if (!files) throw new Error(`--balancer must be one of ${Object.keys(FILES).join(", ")}`);
const procedures = values.procedure.split(",") as Procedure[];
if (!procedures.every((procedure) => PROCEDURES.includes(procedure)))
  throw new Error(`--procedure takes ${PROCEDURES.join(", ")}`);
const env = Object.fromEntries(
  values.env.map((assignment) => {
    const [name = "", ...rest] = assignment.split("=");
    return [name, rest.join("=")];
  }),
);
for (const balancer of files) {
  for (const procedure of procedures) {
    const startedAt = performance.now();
    const { losses, ...figures } = await restartInTurn({
      balancer,
      procedure,
      restarts: Number(values.restarts),
      clients: Number(values.callers),
      seed: Number(values.seed),
      env,
    });
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    const line = {
      balancer: balancer ?? "none",
      procedure,
      restarts: Number(values.restarts),
      seconds,
      ...figures,
    };
    process.stdout.write(`${JSON.stringify(line)}\n`);
    if (values.losses) for (const loss of losses) process.stdout.write(`  ${JSON.stringify(loss)}\n`);
  }
}
