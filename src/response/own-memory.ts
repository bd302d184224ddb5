/**
 * Copies bytes into a separate allocation. A view of a few bytes would keep its whole chunk in memory, and a copy in Node's
 * buffer pool would keep the whole pool in memory.
 */
export function copyToOwnMemory(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}
