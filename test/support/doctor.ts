import { diagnose } from "../../src/doctor/doctor.ts";
import type { Finding } from "../../src/doctor/finding.ts";

/** A base URL at which nothing listens. */
const NOWHERE = "http://127.0.0.1:9/api/v1";

/** Runs all checks in this process, with an account at a base URL at which nothing listens. */
export function runDoctor(
  env: Record<string, string | undefined>,
  { url, idleMs = 0 }: { url?: string; idleMs?: number } = {},
): Promise<Finding[]> {
  const environment = { OPENROUTER_API_KEY: "sk-or-secret-account", OPENROUTER_BASE_URL: NOWHERE, ...env };
  return diagnose({ environment, url, idleMs });
}

/** Returns the findings of one check as `status: finding`. */
export function listFindings(findings: readonly Finding[], check: string): string[] {
  return findings.filter((one) => one.check === check).map(({ status, finding }) => `${status}: ${finding}`);
}

/** Returns the findings without a remedy although they need one. */
export function listWithoutRemedy(findings: readonly Finding[]): Finding[] {
  return findings.filter(
    ({ status, remedy }) => (status === "warning" || status === "failed") !== (remedy !== undefined),
  );
}
