/** Retries without waits, for the AWS SDK for JavaScript. */

/** A `retryStrategy` of the AWS SDK: its interface RetryStrategyV2. */
export interface FastRetries {
  readonly mode: string;
  maxAttempts(): Promise<number>;
  acquireInitialRetryToken(scope: string): Promise<Token>;
  refreshRetryTokenForRetry(token: Token, error: { errorType: string }): Promise<Token>;
  recordSuccess(token: Token): void;
}
interface Token {
  getRetryCount(): number;
  getRetryDelay(): number;
}

const RETRIED = ["THROTTLING", "TRANSIENT"]; // as the SDK's standard mode

/**
 * Retries the errors that the SDK's standard mode retries, as often, but without waiting:
 * `new BedrockRuntimeClient({ endpoint: session.url, retryStrategy: fastRetries() })`. Every attempt
 * still goes over HTTP.
 */
export function fastRetries(attempts = 3): FastRetries {
  const token = (count: number): Token => ({
    getRetryCount: () => count,
    getRetryDelay: () => 0,
  });
  return {
    mode: "standard",
    maxAttempts: () => Promise.resolve(attempts),
    acquireInitialRetryToken: () => Promise.resolve(token(0)),
    refreshRetryTokenForRetry: ({ getRetryCount }, { errorType }) => {
      const count = getRetryCount() + 1;
      return RETRIED.includes(errorType) && count < attempts
        ? Promise.resolve(token(count))
        : Promise.reject(new Error("No retry token available"));
    },
    recordSuccess: () => undefined,
  };
}
