import { type DnsMessage, type DnsQuestion, type DnsRecord, RCODE, rcodeOf, type Sections } from './message.ts';
import { hasAddresses, type OriginView, toOriginName } from './origin-names.ts';

/**
 * What this cluster's DNS answered, in the names that the consumer's pods know: the name that was asked keeps the spelling of
 * the question, and records about namespaces of others are left out.
 */
export function toOriginAnswer(
  question: DnsQuestion,
  asked: string,
  answer: DnsMessage,
  view: OriginView,
): Sections & { isTruncated: boolean } {
  const rename = (name: string): string | undefined =>
    name.toLowerCase() === asked.toLowerCase() ? question.name : toOriginName(name, view);
  // Of a name outside of the cluster too, to which a Service may lead, the addresses are what they are.
  const toHome = (name: string, address: string): string => (hasAddresses(name, view) ? view.toHome(address) : address);
  const translate = (records: DnsRecord[] | undefined): DnsRecord[] =>
    (records ?? [])
      .filter((record) => record.type !== 'OPT')
      .flatMap((record) => toOriginRecord(record, rename, toHome));
  const answers = translate(answer.answers);
  const hidden = (answer.answers?.length ?? 0) > 0 && answers.length === 0;
  return {
    rcode: hidden ? RCODE.nameError : rcodeOf(answer),
    answers,
    authorities: translate(answer.authorities),
    additionals: translate(answer.additionals),
    isTruncated: answer.flag_tc,
  };
}

type Rename = (name: string) => string | undefined;

function toOriginRecord(
  record: DnsRecord,
  rename: Rename,
  toHome: (name: string, address: string) => string,
): DnsRecord[] {
  const name = rename(record.name);
  if (name === undefined) return [];
  switch (record.type) {
    case 'A':
      return [{ ...record, name, data: toHome(record.name, record.data) }];
    case 'CNAME':
    case 'DNAME':
    case 'NS':
    case 'PTR': {
      const data = rename(record.data);
      return data === undefined ? [] : [{ ...record, name, data }];
    }
    case 'SRV': {
      const target = rename(record.data.target);
      return target === undefined ? [] : [{ ...record, name, data: { ...record.data, target } }];
    }
    default:
      return [{ ...record, name }];
  }
}
