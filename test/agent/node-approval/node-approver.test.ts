import { expect, test } from 'vitest';
import { approveNodeRequests, type SigningRequests } from '../../../src/agent/node-approval/node-approver.ts';
import type { SigningRequest } from '../../../src/core/virtual-node/judge-request.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { createSigningRequest } from '../../../src/runtime/x509.ts';

const AGENT = 'system:serviceaccount:headcut-system:headcut';

async function requestFor(node: string): Promise<SigningRequest> {
  const subject = { commonName: `system:node:${node}`, organization: 'system:nodes' };
  const { request } = await createSigningRequest(subject, []);
  const spec = {
    request: Buffer.from(request).toString('base64'),
    signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
    username: AGENT,
    usages: ['digital signature', 'client auth'],
  };
  return { metadata: { name: `${node}-request` }, spec };
}

/** Lets the approver see these once, and gives what it decided and logged. */
async function considered(requests: SigningRequest[], more: Partial<SigningRequests> = {}) {
  const decided: string[] = [];
  const logged: string[] = [];
  const stop = new AbortController();
  const say = (_fields: object, message: string): void => void logged.push(message);
  const logger = { debug: say, info: say, warn: say, error: say, child: () => logger };
  await approveNodeRequests(
    {
      agent: AGENT,
      hostIp: '192.0.2.1',
      clock: systemClock,
      random: () => 0.5,
      logger,
      requests: {
        async *follow() {
          yield* requests;
          stop.abort();
        },
        labelsOfNode: async (name) => (name === 'headcut-pi' ? {} : undefined),
        mayApprove: async () => true,
        decide: async ({ metadata, status }) => void decided.push(`${metadata.name} ${status?.conditions?.[0]?.type}`),
        ...more,
      },
    },
    stop.signal,
  );
  return { decided, logged };
}

test('approves the virtual nodes of the agent, and refuses it real ones, also where their names are alike', async () => {
  const nodes = ['headcut-b', 'real', 'headcut-pi'];
  const { decided } = await considered(await Promise.all(nodes.map(requestFor)));
  expect(decided).toEqual(['headcut-b-request Approved', 'real-request Denied', 'headcut-pi-request Denied']);
});

test('approves a node that is there already as a virtual one', async () => {
  const labelsOfNode = async () => ({ 'headcut.dev/peer': 'id' });
  expect((await considered([await requestFor('headcut-b')], { labelsOfNode })).decided).toEqual([
    'headcut-b-request Approved',
  ]);
});

test('does nothing for which it has no right', async () => {
  expect((await considered([await requestFor('headcut-b')], { mayApprove: async () => false })).decided).toEqual([]);
});

test('goes on with the others when one cannot be decided, and says so once', async () => {
  const decided: string[] = [];
  const decide = async ({ metadata }: SigningRequest): Promise<void> => {
    if (metadata.name.startsWith('headcut-x')) throw new Error('too large');
    decided.push(metadata.name);
  };
  const nodes = ['headcut-x', 'headcut-x2', 'headcut-b'];
  const { logged } = await considered(await Promise.all(nodes.map(requestFor)), { decide });
  expect(decided).toEqual(['headcut-b-request']);
  expect(logged.filter((message) => message.includes('cannot be decided'))).toHaveLength(1);
});
