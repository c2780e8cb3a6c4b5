import type { Pod } from '../../../src/core/kube-objects.ts';
import type { EndpointSlice, Service } from '../../../src/core/service/service-objects.ts';

export const ORIGIN = { cluster: 'cluster-a', namespace: 'demo' };

export function service(name: string, spec: Service['spec'] = {}, labels: Record<string, string> = {}): Service {
  return {
    metadata: { name, namespace: 'demo', labels },
    spec: { type: 'ClusterIP', clusterIP: '10.96.1.1', selector: { app: name }, ports: [{ port: 80 }], ...spec },
  };
}

export function slice(of: string, podNames: string[], more: Partial<EndpointSlice> = {}): EndpointSlice {
  return {
    metadata: { name: `${of}-x`, namespace: 'demo', labels: { 'kubernetes.io/service-name': of } },
    addressType: 'IPv4',
    ports: [{ name: '', port: 8080, protocol: 'TCP' }],
    endpoints: podNames.map((name, index) => ({
      addresses: [name.startsWith('away') ? `100.64.2.${index + 1}` : `10.244.0.${index + 1}`],
      conditions: { ready: true, serving: true, terminating: false },
      targetRef: { kind: 'Pod', namespace: 'demo', name },
    })),
    ...more,
  };
}

export function pod(name: string, nodeName = 'b', podIP = '10.244.0.9'): Pod {
  return {
    metadata: { name, namespace: 'demo', uid: `uid-${name}` },
    spec: { nodeName, containers: [{ name: 'c' }] },
    status: { phase: 'Running', podIP, conditions: [{ type: 'Ready', status: 'True' }] },
  };
}
