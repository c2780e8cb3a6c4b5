import dnsPacket from 'dns-packet';
import { describe, expect, test } from 'vitest';
import {
  type DnsMessage,
  type DnsRecord,
  parseMessage,
  RCODE,
  toAnswer,
  toQuery,
} from '../../../src/core/dns/message.ts';
import type { OriginView } from '../../../src/core/dns/origin-names.ts';
import { toOriginAnswer } from '../../../src/core/dns/to-origin-answer.ts';

const NAME = 'Web.demo.svc.cluster.local';

function query(udpPayloadSize?: number): DnsMessage {
  const edns = {
    type: 'OPT' as const,
    name: '.',
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  };
  return dnsPacket.decode(
    dnsPacket.encode({
      type: 'query',
      id: 7,
      flags: dnsPacket.RECURSION_DESIRED,
      questions: [{ type: 'A', name: NAME }],
      additionals: udpPayloadSize === undefined ? [] : [{ ...edns, udpPayloadSize }],
    }),
  );
}

const addresses = (count: number): DnsRecord[] =>
  Array.from({ length: count }, (_, index) => ({
    type: 'A',
    name: NAME.toLowerCase(),
    ttl: 5,
    data: `100.64.0.${index}`,
  }));

describe('an answer', () => {
  test('repeats the question as it was spelt, and reads as what was put in', () => {
    const answer = parseMessage(toAnswer(query(), { rcode: RCODE.noError, answers: addresses(3) }, 'udp'));
    expect(answer).toMatchObject({
      id: 7,
      type: 'response',
      flag_rd: true,
      flag_ra: true,
      questions: [{ name: NAME }],
    });
    expect(answer?.answers).toMatchObject([{ data: '100.64.0.0' }, { data: '100.64.0.1' }, { data: '100.64.0.2' }]);
  });

  test('of two dozen endpoints fits into a classic datagram', () => {
    const bytes = toAnswer(query(), { rcode: RCODE.noError, answers: addresses(25) }, 'udp');
    expect(bytes.length).toBeLessThanOrEqual(512);
    expect(parseMessage(bytes)?.answers).toHaveLength(25);
  });

  test('that is too long for a datagram says so, and comes whole over TCP', () => {
    const sections = { rcode: RCODE.noError, answers: addresses(100) };
    const short = toAnswer(query(1232), sections, 'udp');
    expect(short.length).toBeLessThanOrEqual(1232);
    expect(parseMessage(short)).toMatchObject({ flag_tc: true, answers: [] });
    expect(parseMessage(toAnswer(query(1232), sections, 'tcp'))?.answers).toHaveLength(100);
  });

  test('has EDNS where the question had it', () => {
    const edns = (size?: number) => parseMessage(toAnswer(query(size), { rcode: RCODE.nameError }, 'udp'))?.additionals;
    expect(edns(4096)).toMatchObject([{ type: 'OPT', udpPayloadSize: 1232 }]);
    expect(edns()).toEqual([]);
  });

  test.each(['', 'x', 'GET / HTTP/1.1\r\n\r\n'])('is not given to %j', (text) => {
    expect(parseMessage(Buffer.from(text))?.questions?.length ?? 0).toBe(0);
  });
});

describe("an answer of the provider's DNS", () => {
  const view: OriginView = {
    clusterDomain: 'cluster.local',
    twinOf: () => 'demo-1',
    namespaceOf: (twin) => (twin === 'demo-1' ? 'demo' : undefined),
    homeApi: undefined,
    toHome: (here) => here,
    toHere: (there) => there,
  };
  const translate = (records: DnsRecord[], asked = 'web.demo-1.svc.cluster.local', additionals: DnsRecord[] = []) => {
    const question = { type: 'A' as const, name: NAME };
    const answer = dnsPacket.decode(dnsPacket.encode({ type: 'response', answers: records, additionals }));
    return toOriginAnswer(question, asked, answer, view);
  };

  test('comes back in the names of the home cluster', () => {
    const target = '10-0-0-1.web.demo-1.svc.cluster.local';
    const { answers, additionals } = translate(
      [{ type: 'SRV', name: 'web.demo-1.svc.cluster.local', data: { port: 80, target } }],
      undefined,
      [{ type: 'A', name: target, data: '10.244.0.1' }],
    );
    expect(answers).toMatchObject([{ name: NAME, data: { target: '10-0-0-1.web.demo.svc.cluster.local' } }]);
    expect(additionals).toMatchObject([{ name: '10-0-0-1.web.demo.svc.cluster.local', data: '10.244.0.1' }]);
  });

  test('has the addresses that the home cluster has, and of names outside those that they have', () => {
    const moving = { ...view, toHome: (here: string) => (here === '10.96.0.9' ? '10.43.0.7' : here) };
    const record = (name: string): DnsRecord => ({ type: 'A', name, data: '10.96.0.9' });
    const addressOf = (name: string) => {
      const answer = dnsPacket.decode(dnsPacket.encode({ type: 'response', answers: [record(name)] }));
      return toOriginAnswer({ type: 'A', name: NAME }, 'web.demo-1.svc.cluster.local', answer, moving).answers;
    };
    expect(addressOf('web.demo-1.svc.cluster.local')).toMatchObject([{ data: '10.43.0.7' }]);
    expect(addressOf('example.org')).toMatchObject([{ data: '10.96.0.9' }]);
    expect(addressOf('10-96-0-9.demo-1.pod.cluster.local')).toMatchObject([{ data: '10.96.0.9' }]);
  });

  test('that names Services of the provider is none', () => {
    const asked = '10.0.96.10.in-addr.arpa';
    const foreign = translate([{ type: 'PTR', name: asked, data: 'kube-dns.kube-system.svc.cluster.local' }], asked);
    expect(foreign).toMatchObject({ rcode: RCODE.nameError, answers: [] });
    const own = translate([{ type: 'PTR', name: asked, data: 'web.demo-1.svc.cluster.local' }], asked);
    expect(own).toMatchObject({ rcode: RCODE.noError, answers: [{ data: 'web.demo.svc.cluster.local' }] });
  });
});

test('a query under another name keeps its type', () => {
  const bytes = toQuery(query(4096), 9, 'web.demo-1.svc.cluster.local');
  expect(parseMessage(bytes)).toMatchObject({
    id: 9,
    questions: [{ type: 'A', name: 'web.demo-1.svc.cluster.local' }],
    additionals: [{ type: 'OPT' }],
  });
});
