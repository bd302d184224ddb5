/**
 * Copies bytes into a separate allocation. A view of a few bytes would keep its whole chunk in memory, and a copy in Node's
 * pool would keep the pool.
 */
export function copyToOwnMemory(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}
