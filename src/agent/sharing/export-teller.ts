import { hasCode, messageOf } from '../../core/coded-error.ts';
import { MAX_JSON_VALUES } from '../../core/json-bounds.ts';
import { plainLine } from '../../core/plain-text.ts';
import { type ExportsPart, partsFor, smallerParts, toName } from '../../core/sharing/told-changes.ts';
import { exportKey, type ToldExport } from '../../core/sharing/told-export.ts';
import { aborted } from '../../runtime/aborted.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type Controller, createController, type ReconcileResult } from '../../runtime/controller.ts';
import type { Logger } from '../../runtime/logger.ts';
import { EXPORTS_PROTOCOL } from '../../wire/endpoints.ts';
import { MAX_EXPORTS_TOLD } from '../../wire/export-schemas.ts';
import type { PeerLink, PeerLinks } from '../ports.ts';

export interface ExportTellerDeps {
  /** What is exported here; `synced` once that is all. */
  own: { readonly synced: boolean; told(): ToldExport[]; onChange(listener: (key: string) => void): void };
  /** Whether a peer is told of Services of this namespace. */
  mayTell(namespace: string, link: PeerLink): boolean;
  links: PeerLinks;
  clock: Clock;
  logger: Logger;
}

/** How soon to look again while the own exports are not known. */
const LOOK_AGAIN_MS = 250;
/** Names of what is gone, which travel with the first part, have some thousand values as well. */
const BOUNDS = { count: MAX_EXPORTS_TOLD, chars: 2 * 1024 * 1024, values: MAX_JSON_VALUES - 20_000 };
/** A peer that does not take all is asked again after this: somebody may have made room. */
const REFUSED_RETRY_MS = 60_000;
const MAX_REFUSALS = 1_000;

interface Refusal {
  namespace: string;
  name: string;
  message: string;
}

/** Tells each peer what this member exports to it: all when a session begins, then what changes. Keyed by peer. */
export class ExportTeller {
  readonly controller: Controller;
  readonly #deps: ExportTellerDeps;
  /** Texts of what the peer took in its present session, by its ID and by their keys. */
  readonly #told = new Map<string, Map<string, string>>();
  /** Why peers did not take exports, for people, by their keys and by the ID of the peer. */
  readonly #refused = new Map<string, Map<string, string>>();
  readonly #listeners: ((key: string) => void)[] = [];

  constructor(deps: ExportTellerDeps) {
    this.#deps = deps;
    const { clock, logger, links, own } = deps;
    this.controller = createController({
      name: 'export-teller',
      reconcile: (peerId) => this.#reconcile(peerId),
      clock,
      logger,
      concurrency: 8,
    });
    own.onChange(() => this.lookAgain());
    links.onChange((id, change) => {
      // A new session: the peer may be another process.
      if (change === 'pods' || change === 'removed') this.#told.delete(id);
      if (change === 'removed') this.#forgive(id, () => true);
      if (change === 'pods' || change === 'state') this.controller.enqueue(id);
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    if (!signal.aborted) await Promise.race([this.controller.run(signal), aborted(signal)]);
  }

  /** Who is told what may be another by now. */
  lookAgain(): void {
    for (const { id } of this.#deps.links.list()) this.controller.enqueue(id);
  }

  /** Why a peer does not take an export; undefined when all do. */
  problemOf(key: string): string | undefined {
    const [first] = this.#refused.get(key)?.values() ?? [];
    return first;
  }

  /** Called with the key of an export that a peer refused, or takes now. */
  onProblem(listener: (key: string) => void): void {
    this.#listeners.push(listener);
  }

  async #reconcile(peerId: string): Promise<ReconcileResult> {
    const { own, links, mayTell } = this.#deps;
    const link = links.get(peerId);
    if (link === undefined || !link.podsSynced || !link.speaks(EXPORTS_PROTOCOL)) return undefined;
    // Half of it would end what the peer knows of the other half.
    if (!own.synced) return { requeueAfterMs: LOOK_AGAIN_MS };
    const wanted = new Map(
      own
        .told()
        .filter(({ namespace }) => mayTell(namespace, link))
        .map((told) => [exportKey(told), { told, text: JSON.stringify(told) }]),
    );
    this.#forgive(peerId, (key) => !wanted.has(key));
    const told = this.#told.get(peerId);
    const taken = told ?? new Map<string, string>();
    let refusals = 0;
    for (const part of partsFor(told, wanted, BOUNDS)) {
      const refused = await this.#send(link, part);
      if (refused === undefined) return undefined;
      refusals += refused.length;
      this.#note(link, part.exports, refused);
      for (const one of part.exports) taken.set(exportKey(one), wanted.get(exportKey(one))?.text ?? '');
      for (const one of part.gone ?? []) taken.delete(exportKey(one));
      for (const one of refused) taken.delete(exportKey(one));
    }
    // Not where it was told to another session meanwhile.
    if (this.#told.get(peerId) === told) this.#told.set(peerId, taken);
    return refusals === 0 ? undefined : { requeueAfterMs: REFUSED_RETRY_MS };
  }

  /** Sends a part, and where the peer cannot read it, all that it can. @returns what it does not take; undefined where it cannot be reached */
  async #send(link: PeerLink, part: ExportsPart): Promise<Refusal[] | undefined> {
    try {
      return await this.#call(link, part);
    } catch (error) {
      const [first, ...more] = part.exports;
      if (first === undefined || !hasCode(error, 'InvalidArgument')) throw error;
      const refused: Refusal[] = more.length > 0 ? [] : [{ ...toName(exportKey(first)), message: messageOf(error) }];
      for (const smaller of smallerParts(part)) {
        const ofIt = await this.#send(link, smaller);
        if (ofIt === undefined) return undefined;
        refused.push(...ofIt);
      }
      return refused;
    }
  }

  async #call(link: PeerLink, body: ExportsPart): Promise<Refusal[] | undefined> {
    try {
      return (await link.call('updateExports', { body })).refused;
    } catch (error) {
      // The session tells when the peer is back.
      if (hasCode(error, 'Unavailable') && link.state !== 'Connected') return undefined;
      throw error;
    }
  }

  #note({ id, name }: PeerLink, told: readonly ToldExport[], refused: readonly Refusal[]): void {
    const problems = new Map(
      refused.map((one) => [exportKey(one), `${name} does not take it: ${plainLine(one.message)}`]),
    );
    for (const key of told.map(exportKey)) this.#say(key, id, problems.get(key));
  }

  /** What a peer refused is no problem any more: it is told of it no longer, or is no member. */
  #forgive(id: string, isOver: (key: string) => boolean): void {
    for (const [key, known] of [...this.#refused]) if (known.has(id) && isOver(key)) this.#say(key, id, undefined);
  }

  #say(key: string, id: string, problem: string | undefined): void {
    const known = this.#refused.get(key) ?? new Map<string, string>();
    if (known.get(id) === problem) return;
    if (problem === undefined) known.delete(id);
    else if (this.#refused.size < MAX_REFUSALS) known.set(id, problem);
    if (known.size === 0) this.#refused.delete(key);
    else this.#refused.set(key, known);
    for (const listener of this.#listeners) listener(key);
  }
}
