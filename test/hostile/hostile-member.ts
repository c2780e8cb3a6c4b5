import { X509Certificate } from 'node:crypto';
import { request } from 'node:http';
import { connect } from 'node:tls';
import { clusterIdOf } from '../../src/core/membership/cluster-id.ts';
import { parseJoinToken } from '../../src/core/membership/join-token.ts';
import type { PeerRecord } from '../../src/core/membership/peer-record.ts';
import { signJoin, signRecord, signVouch } from '../../src/core/membership/signed-record.ts';
import { requestJoin } from '../../src/peering/join-client.ts';
import { PEER_STREAM_ALPN } from '../../src/peering/peer-connection.ts';
import { createSelfSigned } from '../../src/runtime/x509.ts';
import { PROTOCOL_VERSION } from '../../src/wire/endpoints.ts';

/** An identity: a key, and the certificate that shows it. */
export interface Identity {
  id: string;
  key: string;
  certificate: string;
  record: PeerRecord;
}

export interface Answer {
  /** 0 when the connection broke. */
  status: number;
  text: string;
}

const DAY_MS = 86_400_000;

export async function createIdentity(name: string, change: Partial<PeerRecord> = {}): Promise<Identity> {
  const now = Date.now();
  const pair = await createSelfSigned(clusterIdOf, { from: new Date(now - DAY_MS), to: new Date(now + 365 * DAY_MS) });
  const der = pair.certificate.replace(/-----[^-]+-----|\s/g, '');
  const id = clusterIdOf(new X509Certificate(pair.certificate).publicKey.export({ type: 'spki', format: 'der' }));
  const plain = {
    id,
    name,
    endpoints: ['192.0.2.66:7443'],
    certificate: der,
    incarnation: 1,
    protocol: PROTOCOL_VERSION,
  };
  return { ...pair, id, record: signRecord({ ...plain, ...change }, pair.key) };
}

/** A member that is no agent: it has a key, joined by an invitation, and says whatever it likes to whoever it likes. */
export class HostileMember {
  readonly identity: Identity;

  constructor(identity: Identity) {
    this.identity = identity;
  }

  /** Joins as every member does. @returns all members */
  async join(token: string): Promise<PeerRecord[]> {
    const { inviter, invitation, secret, endpoints, replacedKeys } = parseJoinToken(token);
    const { key, record } = this.identity;
    const asked = { record, invitation, secret, signature: signJoin(inviter, invitation, key) };
    const within = AbortSignal.timeout(10_000);
    return (await requestJoin(endpoints[0] ?? '', { id: inviter, replacedKeys: replacedKeys ?? 0 }, asked, within))
      .records;
  }

  /** One call on a connection of its own. A body that is a text is sent as it is. */
  call(endpoint: string, method: string, path: string, body?: unknown): Promise<Answer> {
    const at = endpoint.lastIndexOf(':');
    const { key, certificate: cert } = this.identity;
    const socket = connect({
      ...{ host: endpoint.slice(0, at), port: Number(endpoint.slice(at + 1)), servername: 'peer.headcut' },
      ...{ ALPNProtocols: [PEER_STREAM_ALPN], key, cert, rejectUnauthorized: false },
    });
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    return new Promise((resolve) => {
      const done = (status: number, said: string): void => {
        socket.destroy();
        resolve({ status, text: said });
      };
      socket.on('error', (error) => done(0, error.message));
      socket.on('close', () => done(0, 'closed'));
      socket.setTimeout(60_000, () => done(0, 'no answer in time'));
      socket.once('secureConnect', () => {
        const length = text === undefined ? {} : { 'content-length': Buffer.byteLength(text) };
        const headers = text === undefined ? {} : { 'content-type': 'application/json', ...length };
        const sent = request({ createConnection: () => socket, host: 'peer.headcut', method, path, headers });
        sent.on('response', (answer) => {
          let said = '';
          answer.on('data', (chunk: Buffer) => {
            if (said.length < 10_000) said += chunk.toString();
          });
          answer.on('end', () => done(answer.statusCode ?? 0, said));
        });
        sent.on('error', (error) => done(0, error.message));
        sent.end(text);
      });
    });
  }

  tell(endpoint: string, records: PeerRecord[]): Promise<Answer> {
    return this.call(endpoint, 'POST', '/v1/roster', { records });
  }

  /** Its own record with other words, signed. */
  resigned(change: Partial<PeerRecord>): PeerRecord {
    const { signature: _signature, vouch: _vouch, ...content } = this.identity.record;
    return signRecord({ ...content, ...change }, this.identity.key);
  }

  /** Members that it invents, each vouched for by the next one, and the last by itself. */
  async chain(count: number): Promise<PeerRecord[]> {
    const invented = await Promise.all(Array.from({ length: count }, (_, i) => createIdentity(`s${i}`)));
    return invented.map((one, i) => {
      const voucher = invented[i + 1] ?? this.identity;
      return { ...one.record, vouch: signVouch(one.id, voucher.id, voucher.key) };
    });
  }
}
