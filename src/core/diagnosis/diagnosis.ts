/** What an agent finds when it is asked to look for faults: the page `/diagnosis`, read by `headcut doctor`. */
export interface Diagnosis {
  /** Whether this cluster's DNS answers the agent, which asks it for offloaded pods. */
  dns: Outcome;
  peers: PeerDiagnosis[];
}

export type Outcome = { ok: true } | { ok: false; problem: string };

export interface PeerDiagnosis {
  /** The name of its Peer object. */
  name: string;
  state: string;
  /** Of its agent; undefined while there was no contact. */
  version?: string | undefined;
  /** How far its clock is ahead of this one's. */
  clockSkewMs?: number | undefined;
  /** ID of the member that carries the connection. */
  via?: string | undefined;
  /** The side that opened the connection in use. */
  openedBy?: 'here' | 'there' | undefined;
  /** Its endpoints, as they are reached from here: a connection that shows its key. */
  outward: EndpointReach[];
  /** Our endpoints, as it says to reach them; undefined when it cannot be asked. */
  inward?: EndpointReach[] | undefined;
  /** Whether a datagram as large as the tunnel makes them comes back; undefined where none can be sent. */
  fullSize?: { bytes: number; answered: boolean } | undefined;
}

export type EndpointReach = { endpoint: string } & Outcome;
