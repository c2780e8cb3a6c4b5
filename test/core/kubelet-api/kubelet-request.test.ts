import { expect, test } from 'vitest';
import { authorizationOf, parseKubeletRequest } from '../../../src/core/kubelet-api/kubelet-request.ts';

test.each([
  ['/pods', { type: 'pods' }],
  ['/runningpods/', { type: 'running-pods' }],
  ['/healthz', { type: 'healthz' }],
  ['/stats/summary', { type: 'summary', onlyCpuAndMemory: false }],
  ['/stats/summary?only_cpu_and_memory=true', { type: 'summary', onlyCpuAndMemory: true }],
  ['/metrics/resource', { type: 'resource-metrics' }],
  ['/metrics/cadvisor', { type: 'unknown', path: '/metrics/cadvisor' }],
  ['/run/ns/pod/c?cmd=id', { type: 'unknown', path: '/run/ns/pod/c' }],
  ['/containerLogs/ns/pod', { type: 'unknown', path: '/containerLogs/ns/pod' }],
])('understands %s', (target, expected) => {
  expect(parseKubeletRequest(target)).toEqual(expected);
});

test.each([
  ['GET', '/pods', 'get', ['pods', 'proxy']],
  ['GET', '/runningpods/', 'get', ['pods', 'proxy']],
  ['GET', '/stats/summary', 'get', ['stats']],
  ['GET', '/metrics/resource', 'get', ['metrics']],
  ['GET', '/logs/x', 'get', ['log']],
  ['GET', '/containerLogs/ns/pod/c', 'get', ['proxy']],
  ['POST', '/exec/ns/pod/c?command=id', 'create', ['proxy']],
  ['GET', '/attach/ns/pod/c', 'get', ['proxy']],
  ['POST', '/run/ns/pod/c', 'create', ['proxy']],
  ['GET', '//pods', 'get', ['proxy']],
])('asks for the right that a kubelet asks for: %s %s', (method, target, verb, subresources) => {
  expect(authorizationOf(target, method)).toEqual({ verb, subresources });
});
