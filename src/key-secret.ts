import { hash, randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE = BigInt(DIGITS.length);
const START = "sk-slc-";
/** Number of base-62 digits that 256 random bits need. */
const RANDOM_DIGITS = 43;
/** Number of base-62 digits that a 32-bit checksum needs. */
const CHECK_DIGITS = 6;
const FORM = new RegExp(`^${START}([0-9A-Za-z]{${RANDOM_DIGITS}})([0-9A-Za-z]{${CHECK_DIGITS}})$`);
const SHOWN_CHARS = START.length + 5;
const FINGERPRINT_SEED = randomBytes(4).readUInt32LE();

/** Creates the secret of a key: 256 random bits and a checksum, in base 62. */
export function createSecret(): string {
  const random = inDigits(BigInt(`0x${randomBytes(32).toString("hex")}`), RANDOM_DIGITS);
  return START + random + computeChecksum(random);
}

/**
 * Whether a text has the prefix of an issued secret but not its form or checksum. A text without the prefix is not
 * mistyped, because keys from the environment can be any text.
 */
export function isMistyped(secret: string): boolean {
  if (!secret.startsWith(START)) return false;
  const [, random = "", checksum] = FORM.exec(secret) ?? [];
  return checksum === undefined || computeChecksum(random) !== checksum;
}

/** Whether a text has the prefix of issued secrets, well formed or not. The secret of every key in a database has it. */
export function hasIssuedPrefix(secret: string): boolean {
  return secret.startsWith(START);
}

/** Returns the first characters of a secret, by which people identify its key. */
export function getSecretPrefix(secret: string): string {
  return secret.slice(0, SHOWN_CHARS);
}

/**
 * Computes the SHA-256 digest of a secret. The gateway stores and compares digests only.
 * @param secret the text after `Bearer `.
 */
export function digestSecret(secret: string): Buffer {
  // The one-shot hash costs about half of createHash().update().digest().
  return hash("sha256", secret, "buffer");
}

/**
 * Computes a 32-bit checksum of a secret, which costs less than a digest. Different secrets can have the same fingerprint,
 * so a match does not authenticate a request. The seed is random, so a fingerprint is valid in this process only.
 */
export function fingerprintSecret(secret: string): number {
  return crc32(secret, FINGERPRINT_SEED);
}

/** Returns a random id of `count` letters and digits. */
export function randomDigits(count: number): string {
  return inDigits(BigInt(`0x${randomBytes(count).toString("hex")}`), count).slice(-count);
}

function computeChecksum(random: string): string {
  return inDigits(BigInt(crc32(random)), CHECK_DIGITS);
}

function inDigits(value: bigint, count: number): string {
  let digits = "";
  for (let rest = value; rest > 0n; rest /= BASE) digits = DIGITS[Number(rest % BASE)] + digits;
  return digits.padStart(count, "0");
}
