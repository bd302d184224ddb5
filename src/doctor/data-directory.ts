import { accessSync, constants, statfsSync, type StatsFs, type Stats, statSync } from "node:fs";
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import type { Config } from "../config/config.ts";
import { getSqlitePath } from "../store/database.ts";
import { failed, ok, type Result, skipped, warning } from "./finding.ts";
import { describeError, formatBytes, formatMs, readErrorCode } from "./finding-text.ts";

const MIB = 1_048_576;
const FREE_MIN_BYTES = 64 * MIB;
const FREE_INODES_MIN = 1_000;
/** A journal with a slower disk delays every request noticeably. */
const SLOW_SYNC_MS = 50;

/** File systems by the number that statfs(2) returns. */
const NETWORK_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0xff534d42, "CIFS"],
  [0x517b, "SMB"],
  [0xfe534d42, "SMB"],
  [0x00c36400, "CephFS"],
  [0x01021997, "9P"],
  [0x0bd00bd0, "Lustre"],
  [0x5346414f, "AFS"],
]);
const OVERLAY = 0x794c7630;
const TMPFS = 0x01021994;

/** Checks existence, rights, space and kind of the data directory. Only a test file is written, and deleted at once. */
export function checkDataDirectory({ store, ledger }: Config): Result[] {
  if (!store) return [skipped("The gateway has no data directory in this configuration.")];
  const directory = resolve(store.dataDir);
  const stats = statSync(directory, { throwIfNoEntry: false });
  if (!stats) return [checkMissing(directory)];
  if (!stats.isDirectory())
    return [failed(`${directory} (DATA_DIR) is not a directory.`, "Set DATA_DIR to a directory.")];
  const isSqlite = store.databaseUrl === undefined;
  const writing = tryToWrite(directory, stats);
  const fileSystem = statfsSync(directory);
  return [
    writing,
    ...checkMode(directory, stats),
    checkSpace(fileSystem, readNeededBytes(store.dataDir, isSqlite, ledger.journalMaxBytes)),
    ...checkInodes(fileSystem),
    ...checkFileSystem(directory, fileSystem.type, { isSqlite, isPersistent: store.isDataDirPersistent }),
  ];
}

function checkMissing(directory: string): Result {
  let parent = dirname(directory);
  while (!statSync(parent, { throwIfNoEntry: false })) parent = dirname(parent);
  try {
    accessSync(parent, constants.W_OK | constants.X_OK);
  } catch {
    return failed(
      `${directory} (DATA_DIR) does not exist, and ${describeUser()} cannot create it in ${parent}.`,
      `Create the directory and give it to the user that runs the gateway: mkdir -p ${directory} && chown USER ${directory}.`,
    );
  }
  return warning(
    `${directory} (DATA_DIR) does not exist.`,
    "The first start of the gateway creates it. If the gateway has run before, DATA_DIR names another directory, or a volume is not mounted.",
  );
}

function describeUser(): string {
  return `the user that runs doctor (uid ${process.getuid?.() ?? "unknown"})`;
}

/** Writes a file of the usual block size to the disk, as the journal does, and deletes it. */
function tryToWrite(directory: string, { uid }: Stats): Result {
  const own = process.getuid?.();
  const note =
    own === undefined || own === uid
      ? ""
      : ` The directory belongs to uid ${uid}: if the gateway runs as another user than doctor, run doctor as that user.`;
  const path = join(directory, `.doctor-${process.pid}`);
  const startedAt = performance.now();
  try {
    const file = openSync(path, "wx", 0o600);
    try {
      writeSync(file, Buffer.alloc(4_096));
      fsyncSync(file);
    } finally {
      closeSync(file);
      rmSync(path, { force: true });
    }
  } catch (error) {
    return failed(
      `${describeUser()} cannot write to ${directory}: ${describeError(error)}.${note}`,
      createWriteRemedy(error, directory),
    );
  }
  const ms = performance.now() - startedAt;
  const facts = `${directory} is writable for ${describeUser()}; writing 4 KiB to the disk takes ${formatMs(ms)}.${note}`;
  return ms <= SLOW_SYNC_MS
    ? ok(facts)
    : warning(
        facts,
        "Use a faster disk for DATA_DIR: a local SSD, or a volume with more operations per second.",
      );
}

function createWriteRemedy(error: unknown, directory: string): string {
  const code = readErrorCode(error);
  if (code === "ENOSPC" || code === "EDQUOT") return "Free space on this disk, or raise the quota.";
  if (code === "EROFS") return "Mount a writable volume there: the file system is read-only.";
  return `Give the directory to the user that runs the gateway: chown -R USER ${directory} && chmod 700 ${directory}. The container image runs as uid 10001.`;
}

function checkMode(directory: string, { mode }: Stats): Result[] {
  if ((mode & 0o022) === 0) return [];
  return [
    warning(
      `Other users may write to ${directory} (mode ${(mode & 0o777).toString(8)}), and so replace keys and ledger.`,
      `Run chmod 700 ${directory}.`,
    ),
  ];
}

/** Returns the space that the gateway may still need: the whole journal and, for SQLite, as much as the file has now. */
function readNeededBytes(dataDir: string, isSqlite: boolean, journalMaxBytes: number): number {
  const size = isSqlite ? statSync(getSqlitePath(dataDir), { throwIfNoEntry: false })?.size : 0;
  return journalMaxBytes + (size ?? 0);
}

function checkSpace({ bavail, bsize }: StatsFs, needed: number): Result {
  const free = bavail * bsize;
  const facts = `${formatBytes(free)} are free on the disk of DATA_DIR; journal and database may need ${formatBytes(needed)}.`;
  const remedy =
    "Free space or enlarge the volume. Or lower JOURNAL_MAX_BYTES, which limits the journal while the database is down.";
  if (free < FREE_MIN_BYTES) return failed(`${facts} Requests get 503 when the disk is full.`, remedy);
  return free < needed ? warning(facts, remedy) : ok(facts);
}

function checkInodes({ files, ffree }: StatsFs): Result[] {
  // Some file systems, such as btrfs, have no fixed number of files.
  if (files === 0 || ffree >= FREE_INODES_MIN) return [];
  return [
    failed(
      `Only ${ffree} more files can be created on the disk of DATA_DIR.`,
      "Delete files: df -i shows how many there are.",
    ),
  ];
}

function checkFileSystem(
  directory: string,
  type: number,
  { isSqlite, isPersistent }: { isSqlite: boolean; isPersistent: boolean },
): Result[] {
  const network = NETWORK_FILE_SYSTEMS.get(type);
  if (network !== undefined)
    return [
      warning(
        `${directory} is on a network file system (${network}), on which file locks may not work${isSqlite ? ": SQLite can be damaged" : ""}.`,
        isSqlite
          ? "Use a local disk for DATA_DIR, or PostgreSQL (DATABASE_URL)."
          : "Use a local disk for DATA_DIR.",
      ),
    ];
  if (isPersistent && (type === OVERLAY || type === TMPFS))
    return [
      warning(
        `${directory} is ${type === OVERLAY ? "in the writable layer of a container" : "in memory (tmpfs)"}: ${isSqlite ? "keys, ledger and journal" : "the journal"} will be lost with it.`,
        isSqlite
          ? "Mount a volume there, such as -v sluice-data:/data, or use PostgreSQL (DATABASE_URL)."
          : "Mount a volume there, or remove DATA_DIR_PERSISTENT.",
      ),
    ];
  return [];
}
