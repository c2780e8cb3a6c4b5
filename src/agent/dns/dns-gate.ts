import { randomInt } from 'node:crypto';
import {
  type DnsMessage,
  type DnsQuestion,
  type DnsRecord,
  parseMessage,
  questionOf,
  RCODE,
  type Sections,
  toAnswer,
  toQuery,
} from '../../core/dns/message.ts';
import { fateOf, type OriginView } from '../../core/dns/origin-names.ts';
import { toOriginAnswer } from '../../core/dns/to-origin-answer.ts';
import { OWN_ADDRESS_NAME } from '../../core/shadow-pod/own-address.ts';
import { uidOfGateName } from '../../core/shadow-pod/start-gate.ts';
import type { Clock } from '../../runtime/clock.ts';
import {
  askDns,
  type DnsListener,
  type DnsServerAddress,
  type DnsTransport,
  listenForDns,
} from '../../runtime/dns-transport.ts';
import { FairShares, type ShareLimits } from '../../runtime/fair-shares.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { HomeAddresses, KnownNames, OffloadedPod, OffloadedPods, PodAddresses } from '../ports.ts';

export interface DnsGateDeps {
  pods: OffloadedPods;
  services: KnownNames;
  /** The DNS servers of this cluster, best first. */
  servers: DnsServerAddress[];
  clusterDomain: string;
  /** The ID of the member whose pod has this address, as seen from here. */
  clusterOf(address: string): string | undefined;
  /** Where offloaded pods reach the API server of their home; undefined while that is not offered. */
  homeApi(): string | undefined;
  addresses: HomeAddresses & Pick<PodAddresses, 'synced' | 'toImage'>;
  /** Whether the pod with this UID at home may start now. */
  mayStart(uid: string): boolean;
  clock: Clock;
  logger: Logger;
}

/** Resolvers ask again after five seconds: two tries of ours have to fit. */
const TRY_WITHIN_MS = 2_000;
/** Questions under way; what is more is told to ask again. A resolver asks for a few names at once. */
const QUERY_SHARES: ShareLimits = { total: 512, perOwner: 16, perMember: 4, mostPerMember: 64 };
/** The address of the API's Service may change when somebody makes it anew. */
const HOME_API_TTL_SECONDS = 5;

/**
 * The nameserver of the offloaded pods on this cluster. It knows the asking pod by its address, asks this cluster's own DNS
 * under the names that the consumer's Services have here, and answers in the names that they have at home. It keeps nothing.
 */
export class DnsGate {
  readonly #deps: DnsGateDeps;
  readonly #shares = new FairShares(QUERY_SHARES);
  #listener: DnsListener | undefined;

  constructor(deps: DnsGateDeps) {
    this.#deps = deps;
  }

  /** @returns the port */
  async listen(host: string, port: number): Promise<number> {
    this.#listener = await listenForDns(host, port, (client, message, transport) =>
      this.#handle(client, message, transport),
    );
    return this.#listener.port;
  }

  async close(): Promise<void> {
    await this.#listener?.close();
  }

  async #handle(client: string, bytes: Buffer, transport: DnsTransport): Promise<Buffer | undefined> {
    const query = parseMessage(bytes);
    if (query === undefined || query.flag_qr) return undefined;
    try {
      return await this.#answer(client, { bytes, query }, transport);
    } catch (error) {
      this.#deps.logger.debug({ client, err: error }, 'DNS query failed');
      return toAnswer(query, { rcode: RCODE.serverFailure }, transport);
    }
  }

  async #answer(
    client: string,
    { bytes, query }: { bytes: Buffer; query: DnsMessage },
    transport: DnsTransport,
  ): Promise<Buffer> {
    const respond = (sections: Sections): Buffer => toAnswer(query, sections, transport);
    const question = questionOf(query);
    if (typeof question === 'number') return respond({ rcode: question });
    const gated = uidOfGateName(question.name);
    if (gated !== undefined)
      return respond(this.#deps.mayStart(gated) ? goAhead(question) : { rcode: RCODE.nameError });
    const pod = await this.#deps.pods.find(client);
    if (pod === undefined) return respond({ rcode: RCODE.refused });
    if (question.name.toLowerCase() === OWN_ADDRESS_NAME) return respond(this.#ownAddress(client, question));
    const giveBack = this.#shares.take(pod.cluster, pod.uid);
    if (giveBack === undefined) return respond({ rcode: RCODE.serverFailure });
    return this.#answerPod({ client, pod, bytes, query, question }, transport).finally(giveBack);
  }

  /** The address by which others know a pod; none where there is no network between clusters. */
  #ownAddress(client: string, { name, type }: DnsQuestion): Sections {
    const { addresses } = this.#deps;
    if (!addresses.synced) return { rcode: RCODE.serverFailure };
    const image = addresses.toImage(plainAddress(client));
    if (image === undefined) return { rcode: RCODE.nameError };
    return { rcode: RCODE.noError, answers: type === 'A' ? [{ type: 'A', name, ttl: 0, data: image }] : [] };
  }

  async #answerPod(
    asked: { client: string; pod: OffloadedPod; bytes: Buffer; query: DnsMessage; question: DnsQuestion },
    transport: DnsTransport,
  ): Promise<Buffer> {
    const { bytes, query, question } = asked;
    const respond = (sections: Sections): Buffer => toAnswer(query, sections, transport);
    const view = this.#viewOf(asked);
    const fate = fateOf(question.name, view);
    switch (fate.type) {
      case 'pass':
        return this.#pass(bytes, transport);
      case 'absent':
        return respond({ rcode: RCODE.nameError });
      case 'home-api':
        return respond({ rcode: RCODE.noError, answers: homeApiRecords(question, view) });
      case 'ask':
        return respond(await this.#askForName(query, question, fate, view));
      case 'reverse':
        return respond(await this.#ask(query, question, fate.name, view));
    }
  }

  /** Untouched but for the ID, whatever kind of record it asks for. */
  async #pass(bytes: Buffer, transport: DnsTransport): Promise<Buffer> {
    const asked = Buffer.from(bytes);
    asked.writeUInt16BE(randomInt(0x10000), 0);
    const answer = await this.#askServers(asked, transport);
    bytes.copy(answer, 0, 0, 2);
    return answer;
  }

  /**
   * This cluster's DNS is not asked for a Service that is not there: it would keep for half a minute that there is none, and a
   * pod that waits for a new Service asks all the time.
   */
  async #askForName(
    query: DnsMessage,
    question: DnsQuestion,
    { name, service, cluster }: { name: string; service: string | undefined; cluster?: string },
    view: OriginView,
  ): Promise<Sections> {
    const usableInMs = service === undefined ? 0 : this.#deps.services.usableInMs(service);
    if (usableInMs === undefined) return { rcode: RCODE.nameError };
    if (usableInMs > 0) await this.#deps.clock.sleep(usableInMs);
    if (cluster === undefined) return this.#ask(query, question, name, view);
    const answer = await this.#answerTo(query, name);
    const all = answer.answers ?? [];
    const isOf = (record: DnsRecord): boolean => record.type !== 'A' || this.#deps.clusterOf(record.data) === cluster;
    const answers = all.filter(isOf);
    // A name without addresses of this kind, or of which nothing is known now, is not one that is not there: resolvers would believe that.
    if (answers.length === 0 && all.length > 0) return { rcode: RCODE.nameError };
    return toOriginAnswer(question, name, { ...answer, answers }, view);
  }

  async #ask(query: DnsMessage, question: DnsQuestion, name: string, view: OriginView): Promise<Sections> {
    return toOriginAnswer(question, name, await this.#answerTo(query, name), view);
  }

  async #answerTo(query: DnsMessage, name: string): Promise<DnsMessage> {
    const asked = toQuery(query, randomInt(0x10000), name);
    let answer = parseMessage(await this.#askServers(asked, 'udp'));
    if (answer?.flag_tc === true) answer = parseMessage(await this.#askServers(asked, 'tcp'));
    if (answer === undefined) throw new Error('the answer of the DNS server cannot be read');
    return answer;
  }

  /** Each server in turn, the first once more at the end: it may have been a lost packet. */
  async #askServers(query: Buffer, transport: DnsTransport): Promise<Buffer> {
    const { servers, clock } = this.#deps;
    let failure: unknown = new Error('this cluster has no DNS server');
    for (const server of [...servers, ...servers.slice(0, 1)].slice(0, 2)) {
      const end = new AbortController();
      const late = clock.sleep(TRY_WITHIN_MS, end.signal).then(
        () => end.abort(),
        () => {},
      );
      try {
        return await askDns(server, query, transport, end.signal);
      } catch (error) {
        failure = error;
      } finally {
        end.abort();
        await late;
      }
    }
    throw failure;
  }

  #viewOf({ client, pod: { cluster } }: { client: string; pod: OffloadedPod }): OriginView {
    const { pods, clusterDomain, homeApi, addresses } = this.#deps;
    const own = plainAddress(client);
    const guest = { member: cluster, address: own };
    return {
      clusterDomain,
      twinOf: (namespace) => pods.twinOf(cluster, namespace),
      namespaceOf: (twin) => pods.namespaceOf(cluster, twin),
      homeApi: homeApi(),
      // A pod at home may have the address that the asking one has on its own interface, which would ask itself by that.
      toHome: (here) => {
        const there = addresses.toHome(guest, here);
        return there === own ? here : there;
      },
      toHere: (there) => (there === own ? there : addresses.toHere(guest, there)),
    };
  }
}

/** Sockets that take both kinds show IPv4 in the form of IPv6. */
function plainAddress(client: string): string {
  return client.replace(/^::ffff:/i, '');
}

/** The address means nothing; it is there. */
function goAhead({ name, type }: DnsQuestion): Sections {
  return { rcode: RCODE.noError, answers: type === 'A' ? [{ type: 'A', name, ttl: 0, data: '127.0.0.1' }] : [] };
}

function homeApiRecords(question: DnsQuestion, view: OriginView): DnsRecord[] {
  if (question.type !== 'A' || view.homeApi === undefined) return [];
  return [{ type: 'A', name: question.name, ttl: HOME_API_TTL_SECONDS, data: view.toHome(view.homeApi) }];
}
