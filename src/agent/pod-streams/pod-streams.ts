import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { CodedError, errorCodeOfHttpStatus, messageOf } from '../../core/coded-error.ts';
import { allowedLogQuery, allowedStreamQuery } from '../../core/kubelet-api/kubelet-request.ts';
import { ApiError } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { PODS, resourcePath } from '../../kube/resources.ts';
import { toHeaderRecord, upgradeHeaders } from '../../runtime/upgrade.ts';
import type { PodStreams, UpgradeRequest, UpgradeResponse } from '../ports.ts';

/** Logs and upgrades of real pods, through the API server of this cluster and with the agent's rights in twin namespaces. */
export function createPodStreams(client: Pick<KubeClient, 'stream' | 'connection' | 'authorization'>): PodStreams {
  return {
    logs: (pod, container, query, signal) => openLogs(client, pod, container, query, signal),
    upgrade: (pod, request) => openUpgrade(client, pod, request),
  };
}

async function openLogs(
  client: Pick<KubeClient, 'stream'>,
  pod: { namespace: string; name: string },
  container: string,
  query: URLSearchParams,
  signal: AbortSignal,
): Promise<Readable> {
  const parameters = { ...Object.fromEntries(allowedLogQuery(query)), container };
  try {
    const { body } = await client.stream(resourcePath(PODS, { ...pod, subresource: 'log' }), {
      query: parameters,
      signal,
    });
    return body;
  } catch (error) {
    if (error instanceof ApiError) throw new CodedError(errorCodeOfHttpStatus(error.status), error.message);
    throw error;
  }
}

async function openUpgrade(
  client: Pick<KubeClient, 'connection' | 'authorization'>,
  pod: { namespace: string; name: string },
  wanted: UpgradeRequest,
): Promise<UpgradeResponse> {
  const headers = upgradeHeaders(wanted.rawHeaders);
  if (headers === undefined) {
    throw new CodedError('InvalidArgument', 'the connection can only be upgraded to websocket or SPDY/3.1');
  }
  const query = allowedStreamQuery(wanted.query);
  if (wanted.container !== undefined) query.set('container', wanted.container);
  const { connection } = client;
  const authorization = await client.authorization();
  const url = new URL(`${resourcePath(PODS, { ...pod, subresource: wanted.action })}?${query}`, connection.server);
  return new Promise((resolve, reject) => {
    const request = httpsRequest(url, {
      method: wanted.method,
      agent: false,
      ca: connection.ca,
      cert: connection.cert,
      key: connection.key,
      ...(connection.tlsServerName === undefined ? {} : { servername: connection.tlsServerName }),
      headers: {
        ...toHeaderRecord(headers),
        ...(authorization === undefined ? {} : { authorization }),
        ...(wanted.method === 'POST' ? { 'content-length': '0' } : {}),
      },
    });
    request.on('upgrade', ({ statusCode = 101, rawHeaders }, socket, head) =>
      resolve({ upgraded: true, status: statusCode, rawHeaders, socket, head }),
    );
    request.on('response', (answer) => void refusal(answer).then(resolve, reject));
    request.on('error', (error) =>
      reject(new CodedError('Unavailable', `the API server of the provider: ${messageOf(error)}`)),
    );
    request.end();
  });
}

/** The longest message of a refusal that is passed on. */
const MAX_REFUSAL = 64 * 1024;

async function refusal(answer: IncomingMessage): Promise<UpgradeResponse> {
  let body = '';
  for await (const chunk of answer) if (body.length < MAX_REFUSAL) body += String(chunk);
  const contentType = answer.headers['content-type'] ?? 'text/plain';
  return { upgraded: false, status: answer.statusCode ?? 500, body, contentType };
}
