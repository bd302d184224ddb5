import type { Config } from "../config/config.ts";
import { type EnvironmentRecord, unquoteValue } from "../config/sources.ts";
import { type CheckedConfig, checkConfiguration } from "./configuration.ts";
import { checkDataDirectory } from "./data-directory.ts";
import { checkDatabase } from "./database.ts";
import { runDiskProcess } from "./disk-process.ts";
import type { Finding, Result } from "./finding.ts";
import { skipped } from "./finding.ts";
import { checkJournals } from "./journals.ts";
import { checkPublicUrl } from "./public-url/public-url.ts";
import { checkRedis } from "./redis.ts";
import { type Check, runChecks } from "./run-checks.ts";
import { checkDescriptors, checkMemory, checkNode, readMemoryLimits } from "./runtime.ts";
import { checkGateway, checkSettings, isInContainer } from "./settings.ts";
import { checkUpstream } from "./upstream.ts";

const LOCAL_DEADLINE_MS = 5_000;
/** Longer than the timeouts of the connections, which give better reasons. */
const REMOTE_DEADLINE_MS = 20_000;
/** Longer than the timeouts of the requests. The silence and a second stream as long as the first one are added. */
const URL_DEADLINE_MS = 120_000;

export interface DoctorOptions {
  /** The settings of the gateway and `SLUICE_KEY`. */
  readonly environment: EnvironmentRecord;
  /** The base URL of clients; undefined: the proxies are not checked. */
  readonly url: string | undefined;
  readonly idleMs: number;
  /** Whether another process checks the disk, so that a frozen disk does not stop this one. */
  readonly isolatesDisk?: boolean;
}

/** A check that uses the configuration. */
interface ConfiguredCheck {
  readonly name: string;
  /** Variables without whose values the check would examine another deployment. */
  readonly needs: readonly string[];
  readonly deadlineMs: number;
  readonly run: (config: Config, signal: AbortSignal) => Result[] | Promise<Result[]>;
}

const STORE = ["DATA_DIR", "DATABASE_URL", "DATABASE_URL_FILE"];

/** Checks a deployment. Nothing is created or changed. Never throws: a check that fails is a finding. */
export async function diagnose(options: DoctorOptions): Promise<Finding[]> {
  const { environment } = options;
  const checked = checkConfiguration(environment);
  const { config, results } = checked;
  const configured = listConfiguredChecks(environment).map((check) => bind(check, checked));
  return runChecks([
    { name: "configuration", deadlineMs: LOCAL_DEADLINE_MS, run: () => [...results] },
    {
      name: "node",
      deadlineMs: LOCAL_DEADLINE_MS,
      run: () => checkNode(environment["npm_config_user_agent"]),
    },
    ...(options.isolatesDisk === true
      ? isolateDisk(configured, environment, listDiskChecks(config))
      : configured),
    ...(options.url === undefined ? [] : [createUrlCheck(options.url, options, config)]),
  ]);
}

/** Runs only the checks of the disk. */
export function diagnoseDisk(environment: EnvironmentRecord): Promise<Finding[]> {
  const checked = checkConfiguration(environment);
  const names = listDiskChecks(checked.config);
  const checks = listConfiguredChecks(environment).filter(({ name }) => names.includes(name));
  return runChecks(checks.map((check) => bind(check, checked)));
}

/** Lists the checks that call the file system or SQLite synchronously. */
function listDiskChecks(config: Config | undefined): readonly string[] {
  if (!config?.store) return [];
  const files = ["data directory", "journals"];
  return config.store.databaseUrl === undefined ? [...files, "database"] : files;
}

/** Replaces the checks of the disk by their findings in another process. */
function isolateDisk(
  checks: readonly Check[],
  environment: EnvironmentRecord,
  names: readonly string[],
): Check[] {
  let findings: Promise<readonly Finding[]> | undefined;
  return checks.map((check) => {
    if (!names.includes(check.name)) return check;
    return {
      name: check.name,
      deadlineMs: REMOTE_DEADLINE_MS,
      run: async (signal) => {
        findings ??= runDiskProcess(environment, signal);
        return (await findings).filter((finding) => finding.check === check.name);
      },
    };
  });
}

/** Binds a check to the configuration, or to the reason why it cannot run. */
function bind({ name, needs, deadlineMs, run }: ConfiguredCheck, { config, invalid }: CheckedConfig): Check {
  const missing = needs.find((variable) => invalid.has(variable));
  return {
    name,
    deadlineMs,
    run: (signal) => {
      if (missing !== undefined) return [skipped(`Not checked, because ${missing} has a mistake.`)];
      return config ? run(config, signal) : [skipped("Not checked, because the configuration is not valid.")];
    },
  };
}

function listConfiguredChecks(environment: EnvironmentRecord): ConfiguredCheck[] {
  const local = { deadlineMs: LOCAL_DEADLINE_MS };
  const remote = { deadlineMs: REMOTE_DEADLINE_MS };
  return [
    {
      name: "settings",
      needs: [],
      ...local,
      run: (config) => checkSettings(config, isInContainer(environment)),
    },
    {
      name: "gateway",
      needs: ["HOST", "PORT"],
      ...local,
      run: (config) => checkGateway(environment, config),
    },
    { name: "descriptors", needs: ["MAX_IN_FLIGHT", "MAX_CONNECTIONS"], ...local, run: checkDescriptors },
    {
      name: "memory",
      needs: ["BODY_MEMORY_BYTES"],
      ...local,
      run: (config) => checkMemory(config, readMemoryLimits()),
    },
    { name: "data directory", needs: STORE, ...local, run: checkDataDirectory },
    { name: "journals", needs: STORE, ...local, run: checkJournals },
    { name: "database", needs: STORE, ...remote, run: checkDatabase },
    { name: "redis", needs: ["REDIS_URL", "REDIS_URL_FILE"], ...remote, run: checkRedis },
    {
      name: "upstream",
      needs: ["OPENROUTER_BASE_URL", "HTTPS_PROXY", "HTTP_PROXY"],
      deadlineMs: 2 * REMOTE_DEADLINE_MS,
      run: checkUpstream,
    },
  ];
}

function createUrlCheck(
  url: string,
  { environment, idleMs }: DoctorOptions,
  config: Config | undefined,
): Check {
  return {
    name: "public url",
    deadlineMs: URL_DEADLINE_MS + 3 * idleMs,
    run: (signal) =>
      checkPublicUrl(
        {
          url,
          key: unquoteValue(environment["SLUICE_KEY"] ?? "") || undefined,
          idleMs,
          bodyLimitBytes: config?.bodyLimitBytes,
          headersTimeoutMs: config?.upstream.headersTimeoutMs,
        },
        signal,
      ),
  };
}
