import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { judgeRequest, type SigningRequest } from '../../../src/core/virtual-node/judge-request.ts';
import { nodeOfRequest } from '../../../src/core/virtual-node/signing-request.ts';
import { createSigningRequest } from '../../../src/runtime/x509.ts';

const AGENT = 'system:serviceaccount:headcut-system:headcut';
const own = { agent: AGENT, hostIp: '192.0.2.1' };

const requestFor = async (commonName: string, ip: string[] = [], organization = 'system:nodes'): Promise<string> =>
  (await createSigningRequest({ commonName, organization }, ip)).request;

function signingRequest(request: string, more: Partial<SigningRequest['spec']> = {}): SigningRequest {
  return {
    metadata: { name: 'r' },
    spec: {
      request: Buffer.from(request).toString('base64'),
      signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
      username: AGENT,
      usages: ['digital signature', 'client auth'],
      ...more,
    },
  };
}

const derOf = (pem: string): Buffer => Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
const pemOf = (der: Buffer): string =>
  `-----BEGIN CERTIFICATE REQUEST-----\n${(der.toString('base64').match(/.{1,64}/g) ?? []).join('\n')}\n-----END CERTIFICATE REQUEST-----\n`;

describe('a request for a certificate of a node', () => {
  test.each([['headcut-b'], ['headcut-a-long-name-of-a-cluster-with-forty-chars'], ['headcut-x.y.z']])(
    'is known as that of %s',
    async (node) => {
      expect(nodeOfRequest(await requestFor(`system:node:${node}`))).toBe(node);
    },
  );

  test('may name the one address that it is to name', async () => {
    const request = await requestFor('system:node:headcut-b', ['192.0.2.1']);
    expect(nodeOfRequest(request, Buffer.from([192, 0, 2, 1]))).toBe('headcut-b');
    expect(nodeOfRequest(request, Buffer.from([192, 0, 2, 2]))).toBeUndefined();
    expect(nodeOfRequest(request)).toBeUndefined();
    expect(nodeOfRequest(await requestFor('system:node:headcut-b'), Buffer.from([192, 0, 2, 1]))).toBeUndefined();
    const two = await requestFor('system:node:headcut-b', ['192.0.2.1', '192.0.2.2']);
    expect(nodeOfRequest(two, Buffer.from([192, 0, 2, 1]))).toBeUndefined();
  });

  test('is none when it has another subject, another form, or more than one reader could find in it', async () => {
    const good = await requestFor('system:node:headcut-b');
    const evil = await requestFor('system:node:real');
    const texts = [
      await requestFor('headcut-b'),
      await requestFor('system:node:headcut-b', [], 'system:masters'),
      await requestFor('system:node:'),
      await requestFor('system:node:Headcut-B'),
      await requestFor('system:node:headcut-b/x'),
      // A reader may skip a first block that it cannot read.
      `${good.slice(0, 100)}\n${evil}`,
      good + evil,
      `x\n${good}`,
      good.replace('\n', '\r\n'),
      good.replace('-----\n', '-----\nA: b\n\n'),
      pemOf(Buffer.concat([derOf(good), Buffer.from([0])])),
      '',
    ];
    for (const text of texts) expect(nodeOfRequest(text), text).toBeUndefined();
    expect(nodeOfRequest('x'.repeat(1_000_000))).toBeUndefined();
  });

  test('has no byte but those of key and signature that could be another one', async () => {
    const der = derOf(await requestFor('system:node:headcut-b'));
    // After the header of the key come 64 bytes of it; the signature is at the end.
    const key = der.indexOf(Buffer.from('03420004', 'hex')) + 4;
    const end = der.lastIndexOf(Buffer.from('2a8648ce3d040302', 'hex')) + 8;
    const fixed = [...der.keys()].filter((at) => at < end && (at < key || at >= key + 64));
    fc.assert(
      fc.property(fc.constantFrom(...fixed), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(der);
        changed[at] = (changed[at] ?? 0) ^ flip;
        const node = nodeOfRequest(pemOf(changed));
        // A letter of the name may be another one: then it is another node's.
        return node === undefined || (node !== 'headcut-b' && changed.includes(`system:node:${node}`));
      }),
      { numRuns: 2_000 },
    );
  });

  test('has a key on P-256', () => {
    const { publicKey } = generateKeyPairSync('ed25519');
    expect(nodeOfRequest(pemOf(publicKey.export({ type: 'spki', format: 'der' })))).toBeUndefined();
  });
});

describe('the approver', () => {
  const verdictOf = async (commonName: string, more: Partial<SigningRequest['spec']> = {}, ip: string[] = []) =>
    judgeRequest(signingRequest(await requestFor(commonName, ip), more), own).type;
  const serving = {
    signerName: 'kubernetes.io/kubelet-serving',
    username: 'system:node:headcut-b',
    groups: ['system:nodes'],
    usages: ['digital signature', 'server auth'],
  };

  test('approves virtual nodes for the agent, and refuses it every other client certificate', async () => {
    expect(await verdictOf('system:node:headcut-b')).toBe('approve');
    for (const name of [
      'system:node:a',
      'system:node:headcut',
      'system:node:headcut-',
      'admin',
      'system:node:xheadcut-b',
    ])
      expect(await verdictOf(name), name).toBe('deny');
    expect(
      await verdictOf('system:node:headcut-b', { usages: ['digital signature', 'client auth', 'cert sign'] }),
    ).toBe('deny');
    expect(judgeRequest(signingRequest('nonsense'), own).type).toBe('deny');
  });

  test('leaves alone what others ask for, and what is decided', async () => {
    expect(await verdictOf('system:node:a', { username: 'kubelet' })).toBe('leave');
    expect(await verdictOf('system:node:headcut-b', { username: 'kubelet' })).toBe('leave');
    expect(await verdictOf('x', { signerName: 'kubernetes.io/kube-apiserver-client' })).toBe('leave');
    const request = signingRequest(await requestFor('system:node:a'));
    const conditions = [{ type: 'Denied', status: 'True' as const }];
    expect(judgeRequest({ ...request, status: { conditions } } as SigningRequest, own).type).toBe('leave');
  });

  test('approves serving certificates that a virtual node asks for itself, for its name and the address of this node', async () => {
    expect(await verdictOf('system:node:headcut-b', serving, ['192.0.2.1'])).toBe('approve');
    expect(await verdictOf('system:node:a', serving, ['192.0.2.1'])).toBe('leave');
    expect(await verdictOf('system:node:headcut-c', serving, ['192.0.2.1'])).toBe('leave');
    expect(await verdictOf('system:node:headcut-b', serving, ['192.0.2.2'])).toBe('leave');
    expect(await verdictOf('system:node:headcut-b', serving, [])).toBe('leave');
    expect(await verdictOf('system:node:headcut-b', { ...serving, groups: [] }, ['192.0.2.1'])).toBe('leave');
    expect(await verdictOf('system:node:headcut-b', { ...serving, username: AGENT }, ['192.0.2.1'])).toBe('leave');
    const request = signingRequest(await requestFor('system:node:headcut-b', ['2001:db8::1']), serving);
    expect(judgeRequest(request, { agent: AGENT, hostIp: '2001:db8::1' }).type).toBe('approve');
    expect(judgeRequest(request, { agent: AGENT, hostIp: '2001:db8::2' }).type).toBe('leave');
  });
});
