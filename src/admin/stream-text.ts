import { GatewayError } from "../errors.ts";
import type { RequestContext } from "../http/request-context.ts";

/** Yields the first part, then the rest. An error is logged and aborts the response, so that clients notice it. */
export async function* prependFirst(
  first: IteratorResult<string>,
  rest: AsyncGenerator<string>,
  context: RequestContext,
): AsyncGenerator<string> {
  if (first.done) return;
  yield first.value;
  try {
    yield* rest;
  } catch (cause) {
    context.recordError(
      new GatewayError("store_unavailable", "The ledger could not be read to its end.", { cause }),
    );
    throw cause;
  }
}
