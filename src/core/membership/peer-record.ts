import type { NetworkClaim } from '../network/network-claim.ts';

/**
 * One member of the federation, as the roster holds it and members tell it each other. Written and signed only by its owner;
 * the member that admitted it vouches for it with a signature of its own.
 */
export interface PeerRecord {
  /** Cluster ID: the fingerprint of its first key (core/membership/member-keys). */
  id: string;
  /** A label for people; DNS-label form, not unique. */
  name: string;
  /** `host:port` of the peer port, best first. */
  endpoints: string[];
  /** The self-signed certificate of its present key, which carries the chain from the first one; DER in base64. */
  certificate: string;
  /** Grows whenever the owner changes the record; the larger wins. */
  incarnation: number;
  /** Protocol version that the owner speaks. */
  protocol: number;
  /** Its part of the pod network; absent while it takes no part. */
  network?: NetworkClaim;
  /** Its owner's last word: it is no member any more. */
  left?: true;
  /** The owner's signature over the canonical form of all fields above, base64. */
  signature: string;
  /**
   * The member that admitted this one; absent on the first member. Signature over `id` of the newcomer. `origin`, which nobody
   * signs: `by` passes on the word of that member, whose own cannot be verified any more.
   */
  vouch?: { by: string; signature: string; origin?: string };
}
