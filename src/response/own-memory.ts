/**
 * Copies bytes into memory of their own. A view of a few bytes retains the whole chunk that it is part of, and a copy in Node's
 * pool retains the pool.
 */
export function copyToOwnMemory(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}
