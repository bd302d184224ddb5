import { type Check, getGroup } from "./check.ts";
import { CANCEL_CHECKS } from "./checks/cancel.ts";
import { CREDENTIAL_CHECKS } from "./checks/credentials.ts";
import { CUT_CHECKS } from "./checks/cut.ts";
import { ENDPOINT_CHECKS } from "./checks/endpoints.ts";
import { HEADER_CHECKS } from "./checks/headers.ts";
import { ISOLATION_CHECKS } from "./checks/isolation.ts";
import { MODEL_CHECKS } from "./checks/model-ids.ts";
import { OWN_ERROR_CHECKS } from "./checks/own-errors.ts";
import { PLAIN_RESPONSE_CHECKS } from "./checks/plain-responses.ts";
import { REQUEST_CHECKS } from "./checks/request-bytes.ts";
import { SLOW_READER_CHECKS } from "./checks/slow-reader.ts";
import { STATUS_CHECKS } from "./checks/statuses.ts";
import { STREAMED_RESPONSE_CHECKS } from "./checks/streamed-responses.ts";
import { TIMING_CHECKS } from "./checks/timing.ts";

/** Every check, in the order in which they run. */
export const CHECKS: readonly Check[] = [
  ...REQUEST_CHECKS,
  ...MODEL_CHECKS,
  ...PLAIN_RESPONSE_CHECKS,
  ...STREAMED_RESPONSE_CHECKS,
  ...STATUS_CHECKS,
  ...HEADER_CHECKS,
  ...ISOLATION_CHECKS,
  ...CREDENTIAL_CHECKS,
  ...OWN_ERROR_CHECKS,
  ...TIMING_CHECKS,
  ...CANCEL_CHECKS,
  ...CUT_CHECKS,
  ...SLOW_READER_CHECKS,
  ...ENDPOINT_CHECKS,
];

/** The groups, in the same order. */
export const GROUPS: readonly string[] = [...new Set(CHECKS.map(({ id }) => getGroup(id)))];
