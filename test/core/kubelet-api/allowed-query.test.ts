import { expect, test } from 'vitest';
import { allowedLogQuery, allowedStreamQuery } from '../../../src/core/kubelet-api/kubelet-request.ts';

test('another member chooses which part of a log it reads, not how the API server gets it', () => {
  const asked = new URLSearchParams(
    'follow=true&insecureSkipTLSVerifyBackend=true&tailLines=3&container=other&pretty=1',
  );
  expect(allowedLogQuery(asked).toString()).toBe('follow=true&tailLines=3');
});

test('another member says what runs in a stream, and nothing else', () => {
  const asked = new URLSearchParams('command=a&command=b&stdin=true&dryRun=All&ports=80&fieldManager=x');
  expect(allowedStreamQuery(asked).toString()).toBe('command=a&command=b&stdin=true&ports=80');
});
