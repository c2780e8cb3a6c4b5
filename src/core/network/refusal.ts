/** Why something takes no part in the pod network: for a condition. */
export interface Refusal {
  reason: string;
  message: string;
}
