/** A token bucket: `burst` at once, then `perSecond` on average. */
export interface RateLimit {
  perSecond: number;
  burst: number;
}

export interface Bucket {
  tokens: number;
  /** Monotonic ms. */
  at: number;
}

/** The bucket after one more call, or undefined when the call is over the limit. */
export function takeToken(limit: RateLimit, bucket: Bucket | undefined, now: number): Bucket | undefined {
  const filled =
    bucket === undefined
      ? limit.burst
      : Math.min(limit.burst, bucket.tokens + ((now - bucket.at) / 1000) * limit.perSecond);
  return filled < 1 ? undefined : { tokens: filled - 1, at: now };
}
