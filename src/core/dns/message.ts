import dnsPacket from 'dns-packet';

/** DNS messages as this project needs them; reading and writing records is dns-packet's. */

export type DnsRecord = NonNullable<dnsPacket.Packet['answers']>[number];
export type DnsMessage = dnsPacket.DecodedPacket;
export type DnsQuestion = NonNullable<dnsPacket.Packet['questions']>[number];

export const RCODE = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
} as const;
export type Rcode = (typeof RCODE)[keyof typeof RCODE];

const RCODE_MASK = 0xf;
const OPCODE_MASK = 0xf << 11;
/** Header and the longest name. */
const HEADER_BYTES = 12;
/** What a client takes over UDP when it does not say (RFC 1035). */
const CLASSIC_UDP_BYTES = 512;
/** What passes every network unfragmented (DNS flag day 2020); also for clients that say they take more. */
const LARGEST_UDP_BYTES = 1232;
/** A pointer to the name of the question, which always stands right after the header. */
const TO_QUESTION_NAME = Buffer.from([0xc0, HEADER_BYTES]);

/** Reads a message; undefined when it is none. */
export function parseMessage(bytes: Buffer): DnsMessage | undefined {
  try {
    return dnsPacket.decode(bytes);
  } catch {
    return undefined;
  }
}

export function rcodeOf(message: DnsMessage): number {
  return (message.flags ?? 0) & RCODE_MASK;
}

/** The one question of a standard query, or what is wrong with it. */
export function questionOf(message: DnsMessage): DnsQuestion | Rcode {
  if (((message.flags ?? 0) & OPCODE_MASK) !== 0) return RCODE.notImplemented;
  const [question, ...more] = message.questions ?? [];
  return question === undefined || more.length > 0 ? RCODE.formatError : question;
}

/** A query for the IPv4 addresses of a name. */
export function toQuestion(id: number, name: string): Buffer {
  return dnsPacket.encode({ type: 'query', id, flags: dnsPacket.RECURSION_DESIRED, questions: [{ type: 'A', name }] });
}

/** The same query under another name. */
export function toQuery(query: DnsMessage, id: number, name: string): Buffer {
  const [question] = query.questions ?? [];
  const edns = ednsOf(query);
  return dnsPacket.encode({
    type: 'query',
    id,
    flags: dnsPacket.RECURSION_DESIRED,
    questions: question === undefined ? [] : [{ ...question, name }],
    additionals: edns === undefined ? [] : [{ ...edns, udpPayloadSize: LARGEST_UDP_BYTES, options: [] }],
  });
}

export interface Sections {
  rcode: number;
  answers?: DnsRecord[];
  authorities?: DnsRecord[];
  additionals?: DnsRecord[];
}

/**
 * An answer to `query`. Names equal to the question's are compressed, or a Service with a dozen endpoints would not fit.
 * Over UDP an answer that is too long for the client says so, and the client asks again over TCP.
 */
export function toAnswer(query: DnsMessage, sections: Sections, transport: 'udp' | 'tcp'): Buffer {
  const { rcode, answers = [], authorities = [], additionals = [] } = sections;
  const edns = ednsOf(query);
  const own: DnsRecord[] =
    edns === undefined ? [] : [{ ...edns, udpPayloadSize: LARGEST_UDP_BYTES, extendedRcode: 0, flags: 0, options: [] }];
  const rest = additionals.filter((record) => record.type !== 'OPT');
  const limit =
    transport === 'tcp' ? 0xffff : Math.max(CLASSIC_UDP_BYTES, Math.min(edns?.udpPayloadSize ?? 0, LARGEST_UDP_BYTES));
  const whole = encode(query, rcode, [answers, authorities, [...rest, ...own]]);
  if (whole.length <= limit) return whole;
  // What comes along unasked is left out first.
  const bare = encode(query, rcode, [answers, [], own]);
  return bare.length <= limit ? bare : encode(query, rcode | dnsPacket.TRUNCATED_RESPONSE, [[], [], own]);
}

function encode(query: DnsMessage, flags: number, sections: [DnsRecord[], DnsRecord[], DnsRecord[]]): Buffer {
  const questions = query.questions?.slice(0, 1) ?? [];
  const name = questions[0]?.name ?? '.';
  const kept = (query.flags ?? 0) & dnsPacket.RECURSION_DESIRED;
  const head = dnsPacket.encode({
    type: 'response',
    id: query.id,
    flags: flags | kept | dnsPacket.RECURSION_AVAILABLE,
    questions,
  });
  for (const [index, records] of sections.entries()) head.writeUInt16BE(records.length, 6 + 2 * index);
  return Buffer.concat([head, ...sections.flat().map((record) => encodeRecord(record, name))]);
}

/** dns-packet's own encoder of one record, which its types do not show. */
const { answer: recordCodec } = dnsPacket as unknown as { answer: { encode(record: DnsRecord): Buffer } };

function encodeRecord(record: DnsRecord, questionName: string): Buffer {
  const bytes = recordCodec.encode(record);
  if (record.name === '.' || record.name.toLowerCase() !== questionName.toLowerCase()) return bytes;
  return Buffer.concat([TO_QUESTION_NAME, bytes.subarray(Buffer.byteLength(record.name) + 2)]);
}

function ednsOf(message: DnsMessage) {
  return message.additionals?.find((record) => record.type === 'OPT');
}
