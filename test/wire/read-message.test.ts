import { describe, expect, it } from 'vitest';
import { readMessage } from '../../src/wire/check.ts';
import type { SessionMessage } from '../../src/wire/messages.ts';

const offer = {
  capacity: { cpu: '2' },
  allocatable: {},
  nodeInfo: { architecture: 'amd64' },
  labels: {},
  accepting: true,
};
const pod = {
  uid: 'u',
  namespace: 'n',
  name: 'p',
  deleting: false,
  status: { phase: 'Running' as const, newField: [1] },
};

describe('readMessage', () => {
  it.each<SessionMessage>([
    { type: 'hello', id: 'x', protocol: 1, version: '0' },
    { type: 'roster', records: [] },
    { type: 'roster-digest', digest: 'x' },
    { type: 'offer', offer },
    { type: 'pods', pods: [pod] },
    { type: 'pod', pod },
    { type: 'pod-gone', uid: 'u' },
    { type: 'heartbeat' },
    { type: 'reach', members: { a: 1 } },
    { type: 'reach-change', reached: { a: 1 }, lost: ['b'] },
    { type: 'bye' },
  ])('keeps a $type message as it is, with unknown fields', (message) => {
    const told = { ...message, later: { field: 1 } };
    expect(readMessage(JSON.stringify(told), 'b')).toEqual(told);
  });

  it('skips kinds that it does not know', () => {
    expect(readMessage('{"type":"constructor"}', 'b')).toBeUndefined();
    expect(readMessage('{"type":"from-the-future","x":1}', 'b')).toBeUndefined();
  });

  it.each([
    '',
    'null',
    '7',
    '{}',
    '{"type":"pods"}',
    '{"type":"pod","pod":{"uid":7}}',
    '{"type":"roster","records":[{}]}',
    `{"type":"roster-digest","digest":"${'x'.repeat(100)}"}`,
    '{"type":"reach-change","reached":{"a":-1},"lost":[]}',
    `{"type":"reach-change","reached":{"${'x'.repeat(65)}":1},"lost":[]}`,
    `{"type":"reach-change","reached":{},"lost":${JSON.stringify(Array.from({ length: 501 }, () => 'x'))}}`,
    '{"type":"offer","offer":{"capacity":{"cpu":1}}}',
  ])('refuses %s', (line) => {
    expect(() => readMessage(line, 'b')).toThrow(/session with b/);
  });
});
