import { CodedError } from '../core/coded-error.ts';
import { parseJson } from '../core/json-bounds.ts';
import { plainText } from '../core/plain-text.ts';
import { toHeaderRecord, upgradeHeaders } from '../runtime/upgrade.ts';
import { toTarget } from '../wire/check.ts';
import { POD_STREAM } from '../wire/endpoints.ts';
import type { PeerClient } from './peer-client.ts';
import type { UpgradeRequest, UpgradeResponse } from './pod-stream.ts';

const MAX_REFUSAL_BYTES = 64 * 1024;

/** Asks a peer for exec, attach or port-forward of a pod that runs there. */
export async function openPodStream(
  client: PeerClient,
  uid: string,
  request: UpgradeRequest,
): Promise<UpgradeResponse> {
  const headers = upgradeHeaders(request.rawHeaders);
  if (headers === undefined) throw new CodedError('InvalidArgument', 'the protocol of this upgrade is not known here');
  const query = new URLSearchParams(request.query);
  if (request.container !== undefined) query.set('container', request.container);
  const signal = AbortSignal.any([]);
  const answer = await client.upgrade({
    method: request.method,
    path: toTarget(POD_STREAM, { params: { uid, action: request.action }, query }),
    headers: { ...toHeaderRecord(headers), ...(request.method === 'GET' ? {} : { 'content-length': '0' }) },
    signal,
  });
  const { statusCode: status = 500, rawHeaders } = answer.message;
  if (answer.kind === 'upgraded')
    return { upgraded: true, status, rawHeaders, socket: answer.socket, head: answer.head };
  const text = await client.readText(answer.message, MAX_REFUSAL_BYTES, signal);
  return { upgraded: false, status, body: plainText(messageIn(text)), contentType: 'text/plain' };
}

/** What a refusal says to people: kubectl writes it to the terminal as it is, and of JSON what is in it. */
function messageIn(text: string): string {
  try {
    const { message } = parseJson(text) as { message?: unknown };
    return typeof message === 'string' ? message : text;
  } catch {
    return text;
  }
}
