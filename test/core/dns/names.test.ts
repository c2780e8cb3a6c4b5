import { describe, expect, test } from 'vitest';
import { fateOf, type OriginView, toOriginName } from '../../../src/core/dns/origin-names.ts';
import { parseResolvConf } from '../../../src/core/dns/resolv-conf.ts';
import { derivedName } from '../../../src/core/sharing/sharing-objects.ts';

const view: OriginView = {
  clusterDomain: 'cluster.local',
  twinOf: (namespace) => (namespace === 'demo' ? 'demo-1234' : undefined),
  namespaceOf: (twin) => (twin === 'demo-1234' ? 'demo' : undefined),
  toHome: (here) => here,
  toHere: (there) => there,
  homeApi: '10.96.8.8',
};

describe('a name that an offloaded pod asks for', () => {
  test.each([
    ['hello.demo.svc.cluster.local', 'hello.demo-1234.svc.cluster.local', 'demo-1234/hello'],
    ['hello-0.hello.demo.svc.cluster.local.', 'hello-0.hello.demo-1234.svc.cluster.local', 'demo-1234/hello'],
    ['HELLO.Demo.SVC.cluster.LOCAL', 'hello.demo-1234.svc.cluster.local', 'demo-1234/hello'],
    ['_http._tcp.hello.demo.svc.cluster.local', '_http._tcp.hello.demo-1234.svc.cluster.local', 'demo-1234/hello'],
    ['10-244-0-5.demo.pod.cluster.local', '10-244-0-5.demo-1234.pod.cluster.local', undefined],
    ['demo.svc.cluster.local', 'demo-1234.svc.cluster.local', undefined],
  ])('%s is %s here', (asked, name, service) => {
    expect(fateOf(asked, view)).toEqual({ type: 'ask', name, service });
  });

  test.each([
    'kube-dns.kube-system.svc.cluster.local',
    'hello.other.svc.cluster.local',
    // The twin's own name is nothing at home.
    'hello.demo-1234.svc.cluster.local',
  ])('%s does not exist: it would be a Service of this cluster', (asked) => {
    expect(fateOf(asked, view)).toEqual({ type: 'absent' });
  });

  test.each([
    ['web.demo.svc.clusterset.local', [derivedName('web')], undefined],
    ['WEB.demo.svc.clusterset.local.', [derivedName('web')], undefined],
    ['_http._tcp.web.demo.svc.clusterset.local', ['_http', '_tcp', derivedName('web')], undefined],
    ['db-0.someid.db.demo.svc.clusterset.local', ['db-0', derivedName('db')], 'someid'],
  ])('%s is an import of its home, by the name that its home derives', (asked, front, cluster) => {
    expect(fateOf(asked, view)).toEqual({
      type: 'ask',
      name: `${front.join('.')}.demo-1234.svc.cluster.local`,
      service: `demo-1234/${front.at(-1)}`,
      ...(cluster === undefined ? {} : { cluster }),
    });
  });

  test.each(['web.other.svc.clusterset.local', 'demo.svc.clusterset.local', 'clusterset.local', 'x.clusterset.local'])(
    '%s does not exist: it would be an import of this cluster',
    (asked) => {
      expect(fateOf(asked, view)).toEqual({ type: 'absent' });
    },
  );

  test.each(['example.org', 'svc.cluster.local', 'cluster.local', 'hello.demo.svc.cluster.local.example.org', '.'])(
    '%s is asked as it is',
    (asked) => {
      expect(fateOf(asked, view)).toEqual({ type: 'pass' });
    },
  );

  test("the API server is its home's, where that is offered", () => {
    expect(fateOf('kubernetes.default.svc.cluster.local', view)).toEqual({ type: 'home-api' });
    expect(fateOf('kubernetes.default.svc.cluster.local', { ...view, homeApi: undefined })).toEqual({ type: 'absent' });
  });

  test('addresses are asked for and their names hidden where they are not its own', () => {
    expect(fateOf('5.0.244.10.in-addr.arpa', view)).toEqual({ type: 'reverse', name: '5.0.244.10.in-addr.arpa' });
    expect(toOriginName('hello.demo-1234.svc.cluster.local', view)).toBe('hello.demo.svc.cluster.local');
    expect(toOriginName('kube-dns.kube-system.svc.cluster.local', view)).toBeUndefined();
    expect(toOriginName('example.org', view)).toBe('example.org');
  });
});

describe('addresses in names', () => {
  const moving: OriginView = {
    ...view,
    toHome: (here) => (here === '100.64.2.7' ? '10.244.0.7' : here),
    toHere: (there) => (there === '10.244.0.7' ? '100.64.2.7' : there),
  };

  test('are those of home where they are asked, and in answers', () => {
    const dashed = fateOf('10-244-0-7.web.demo.svc.cluster.local', moving);
    expect(dashed).toMatchObject({ name: '100-64-2-7.web.demo-1234.svc.cluster.local' });
    expect(toOriginName('100-64-2-7.web.demo-1234.svc.cluster.local', moving)).toBe(
      '10-244-0-7.web.demo.svc.cluster.local',
    );
    expect(fateOf('7.0.244.10.in-addr.arpa', moving)).toEqual({ type: 'reverse', name: '7.2.64.100.in-addr.arpa' });
  });

  test('are left alone in names that only look so', () => {
    for (const name of ['10-244-0-7', 'db-0.web', 'x.10-244-0-7.web'])
      expect(fateOf(`${name}.demo.svc.cluster.local`, moving)).toMatchObject({
        name: `${name}.demo-1234.svc.cluster.local`,
      });
    expect(fateOf('10-244-0-7.demo.pod.cluster.local', moving)).toMatchObject({
      name: '10-244-0-7.demo-1234.pod.cluster.local',
    });
    expect(fateOf('7.0.244.in-addr.arpa', moving)).toEqual({ type: 'reverse', name: '7.0.244.in-addr.arpa' });
  });
});

describe('resolv.conf', () => {
  test('says the nameservers and the domain of the cluster', () => {
    const text =
      'search headcut-system.svc.k8s.lan svc.k8s.lan k8s.lan\nnameserver 10.96.0.10\nnameserver 1.1.1.1\n# x\n';
    expect(parseResolvConf(text)).toEqual({ nameservers: ['10.96.0.10', '1.1.1.1'], clusterDomain: 'k8s.lan' });
  });

  test('without a search list means the usual domain', () => {
    expect(parseResolvConf('')).toEqual({ nameservers: [], clusterDomain: 'cluster.local' });
  });
});
