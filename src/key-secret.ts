import { hash, randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE = BigInt(DIGITS.length);
const START = "sk-slc-";
/** As many digits as 256 bits and 32 bits take. */
const RANDOM_DIGITS = 43;
const CHECK_DIGITS = 6;
const FORM = new RegExp(`^${START}([0-9A-Za-z]{${RANDOM_DIGITS}})([0-9A-Za-z]{${CHECK_DIGITS}})$`);
const SHOWN_CHARS = START.length + 5;
const FINGERPRINT_SEED = randomBytes(4).readUInt32LE();

/** Makes the secret of a key: 256 random bits and a checksum, in letters and digits that a double click selects whole. */
export function createSecret(): string {
  const random = inDigits(BigInt(`0x${randomBytes(32).toString("hex")}`), RANDOM_DIGITS);
  return START + random + checksumOf(random);
}

/**
 * Whether a text was meant to be a key of this gateway and has a mistake in it. What does not look like one at all is
 * not: keys from the environment can be any text.
 */
export function isMistyped(secret: string): boolean {
  if (!secret.startsWith(START)) return false;
  const [, random = "", checksum] = FORM.exec(secret) ?? [];
  return checksum === undefined || checksumOf(random) !== checksum;
}

/** Whether a text begins as every secret made here does, be it well formed or not. No other text is in a database. */
export function hasIssuedPrefix(secret: string): boolean {
  return secret.startsWith(START);
}

/** The first characters, by which people tell keys apart. */
export function getSecretPrefix(secret: string): string {
  return secret.slice(0, SHOWN_CHARS);
}

/**
 * Computes the SHA-256 digest of a secret, as it is stored and compared.
 * @param secret the text after `Bearer `.
 */
export function digestSecret(secret: string): Buffer {
  // The one-shot hash costs about half of createHash().update().digest().
  return hash("sha256", secret, "buffer");
}

/**
 * Computes a 32-bit checksum of a secret, which costs less than a digest. Different secrets can have the same fingerprint, so
 * a match alone admits nobody. The seed is random, so a fingerprint is valid in this process only.
 */
export function fingerprintSecret(secret: string): number {
  return crc32(secret, FINGERPRINT_SEED);
}

/** A random text of letters and digits, for ids. */
export function randomDigits(count: number): string {
  return inDigits(BigInt(`0x${randomBytes(count).toString("hex")}`), count).slice(-count);
}

function checksumOf(random: string): string {
  return inDigits(BigInt(crc32(random)), CHECK_DIGITS);
}

function inDigits(value: bigint, count: number): string {
  let digits = "";
  for (let rest = value; rest > 0n; rest /= BASE) digits = DIGITS[Number(rest % BASE)] + digits;
  return digits.padStart(count, "0");
}
