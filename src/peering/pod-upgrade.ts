import { CodedError } from '../core/coded-error.ts';
import { toHeaderRecord, upgradeHeaders } from '../runtime/upgrade.ts';
import { type PeerClient, readText } from './peer-client.ts';
import type { UpgradeRequest, UpgradeResponse } from './ports.ts';

/** Asks a peer for exec, attach or port-forward of a pod that runs there. */
export async function openPodUpgrade(
  client: Pick<PeerClient, 'upgrade'>,
  uid: string,
  request: UpgradeRequest,
): Promise<UpgradeResponse> {
  const headers = upgradeHeaders(request.rawHeaders);
  if (headers === undefined) throw new CodedError('InvalidArgument', 'the protocol of this upgrade is not known here');
  const query = new URLSearchParams(request.query);
  if (request.container !== undefined) query.set('container', request.container);
  const answer = await client.upgrade({
    method: request.method,
    path: `/v1/pods/${encodeURIComponent(uid)}/${request.action}?${query}`,
    headers: { ...toHeaderRecord(headers), ...(request.method === 'GET' ? {} : { 'content-length': '0' }) },
    signal: AbortSignal.any([]),
  });
  const { statusCode: status = 500, rawHeaders, headers: answered } = answer.message;
  if (answer.kind === 'upgraded')
    return { upgraded: true, status, rawHeaders, socket: answer.socket, head: answer.head };
  return {
    upgraded: false,
    status,
    body: await readText(answer.message),
    contentType: answered['content-type'] ?? 'text/plain',
  };
}
