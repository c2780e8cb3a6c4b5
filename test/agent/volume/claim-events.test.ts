import { expect, test } from 'vitest';
import { ClaimEvents } from '../../../src/agent/volume/claim-events.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import { createLogger } from '../../../src/runtime/logger.ts';
import { jumpingClock } from '../../jumping-clock.ts';

const claim = { metadata: { name: 'data', namespace: 'shop', uid: 'u1' } };

function recorder() {
  const messages: string[] = [];
  const client = {
    create: async (_type: unknown, event: { message: string }) => messages.push(event.message),
  } as unknown as KubeClient;
  const clock = jumpingClock();
  return { messages, clock, events: new ClaimEvents({ client, clock, logger: createLogger('silent') }) };
}

test('a peer that says something else each second is heard once a minute', async () => {
  const { messages, clock, events } = recorder();
  for (let second = 0; second < 120; second += 1) {
    await events.tell(claim, 'Normal', 'ProvisioningOnPeer', `at work, ${second}`);
    await clock.sleep(1_000);
  }
  expect(messages).toEqual(['at work, 0', 'at work, 60']);
});

test('what is said for another reason is said at once, and the same not again', async () => {
  const { messages, clock, events } = recorder();
  for (let round = 0; round < 3; round += 1) {
    await events.tell(claim, 'Normal', 'ProvisioningOnPeer', 'at work');
    await events.tell(claim, 'Warning', 'ProvisioningFailed', 'no room');
    await clock.sleep(100_000);
  }
  expect(messages).toEqual(['at work', 'no room']);
});

test('nothing is remembered of a claim that is gone', async () => {
  const { messages, events } = recorder();
  await events.tell(claim, 'Normal', 'ProvisioningOnPeer', 'at work');
  events.forget(claim);
  await events.tell(claim, 'Normal', 'ProvisioningOnPeer', 'at work');
  expect(messages).toHaveLength(2);
});
