const SECRET_PREFIX = "whsec_";
const SECRET_MIN_BYTES = 24;
const SECRET_MAX_BYTES = 64;

/** Parses a secret as Standard Webhooks writes it: `whsec_` and base64. @returns undefined if the secret is not valid. */
export function parseWebhookSecret(text: string): Buffer | undefined {
  const encoded = text.slice(SECRET_PREFIX.length);
  const secret = Buffer.from(encoded, "base64");
  const isExact = secret.toString("base64").replace(/=+$/, "") === encoded.replace(/=+$/, "");
  const isLongEnough = secret.length >= SECRET_MIN_BYTES && secret.length <= SECRET_MAX_BYTES;
  return text.startsWith(SECRET_PREFIX) && isExact && isLongEnough ? secret : undefined;
}

/** Whether a value is an http or https URL to which alerts can be sent. Its path and query may contain a secret. */
export function isWebhookUrl(value: string): boolean {
  const url = URL.parse(value);
  return url !== null && /^https?:$/.test(url.protocol) && url.username + url.password + url.hash === "";
}
