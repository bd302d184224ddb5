import { PROCESS_CONNECTIONS } from "../store/database.ts";
import {
  type InspectedDatabase,
  type PostgresState,
  readPostgresState,
} from "../store/database-inspection.ts";
import { failed, ok, type Result, warning } from "./finding.ts";
import { readErrorCode } from "./finding-text.ts";

/** The oldest version that PostgreSQL's developers still maintained when this version of Sluice was made. */
const OLDEST_MAJOR = 14;

/** Checks version, connections and role of a PostgreSQL server. @param instances gateways that use it now. */
export async function checkPostgres(database: InspectedDatabase, instances: number): Promise<Result[]> {
  const state = await readPostgresState(database);
  return [checkVersion(state), checkConnections(state, instances), ...checkRole(state)];
}

function checkVersion({ version }: PostgresState): Result {
  return Number.parseInt(version, 10) >= OLDEST_MAJOR
    ? ok(`PostgreSQL has the version ${version}.`)
    : warning(
        `PostgreSQL has the version ${version}, which is no longer maintained.`,
        `Upgrade to PostgreSQL ${OLDEST_MAJOR} or newer.`,
      );
}

function checkConnections({ connections, connectionsUsed }: PostgresState, instances: number): Result {
  const gateways = Math.max(1, instances);
  const needed = gateways * PROCESS_CONNECTIONS;
  const facts = `PostgreSQL allows ${connections} connections, of which ${connectionsUsed} are open; ${gateways} gateway(s) open up to ${needed}.`;
  return connections >= needed
    ? ok(facts)
    : warning(
        facts,
        `Raise max_connections to at least ${needed + 10} and restart PostgreSQL, or run fewer gateways.`,
      );
}

function checkRole({ isReplica, isReadOnly }: PostgresState): Result[] {
  if (!isReplica && !isReadOnly) return [];
  return [
    failed(
      isReplica
        ? "This PostgreSQL server is a read-only replica."
        : "Transactions on this PostgreSQL server are read-only.",
      isReplica
        ? "Set DATABASE_URL to the primary server, or promote this one."
        : "Remove default_transaction_read_only from the server, the database and the user of DATABASE_URL.",
    ),
  ];
}

/** Returns how to mend a connection to PostgreSQL that failed. */
export function createPostgresRemedy(error: unknown): string {
  const code = readErrorCode(error);
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return "Correct the host name in DATABASE_URL, or the DNS of this machine.";
  if (code.startsWith("28"))
    return "Correct user name and password in DATABASE_URL, and the server's pg_hba.conf.";
  if (code === "3D000") return "Create the database that DATABASE_URL names: createdb NAME.";
  if (code === "53300") return "Raise max_connections, or stop programs that hold connections.";
  if (code === "42501") return "Grant the user of DATABASE_URL the rights on schema and tables.";
  if (code.includes("CERT") || code.includes("SELF_SIGNED"))
    return "Correct the server's certificate, or name its authority in DATABASE_URL (sslrootcert).";
  return "Start PostgreSQL, and correct host and port in DATABASE_URL and the firewall between both.";
}
