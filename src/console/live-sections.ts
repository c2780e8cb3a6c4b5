import type { RightsView } from '../core/console/action-rights.ts';
import { type FederationView, federationView } from '../core/console/members-view.ts';
import { type EventView, eventViews, type PodView, podView } from '../core/console/pod-view.ts';
import { type TimeView, timeView } from '../core/console/time-view.ts';
import { type WorkloadsView, workloadsView } from '../core/console/workloads-view.ts';
import type { World } from '../core/explain/world.ts';
import type { KubeClient } from '../kube/client.ts';
import { EVENTS } from '../kube/resources.ts';
import type { Clock } from '../runtime/clock.ts';
import type { ClusterWatch } from './cluster-watch.ts';
import type { Rights } from './rights.ts';

/** What pages are sent, each part when it changed. */
export interface Sections {
  federation: FederationView;
  workloads: WorkloadsView;
  time: TimeView;
  rights: RightsView;
  /** Of the pod that a page looks at; `null` when it is gone. */
  pod: { pod: PodView; events: EventView[] } | null;
}
export type SectionName = keyof Sections;

/** A page that looks. */
export interface Viewer {
  /** `namespace/name` of the pod that it shows. */
  pod: string | undefined;
  /** The newest of a section reaches the page, however slowly it reads: what is the same is not sent again. @param json one line */
  send(section: SectionName, json: string): void;
}

/** Changes come in heaps: what follows within this time goes in one. */
const GATHER_MS = 150;
/** Texts say how long something has been so. */
const REFRESH_MS = 5_000;
/** Roles of somebody who looks are looked at again. */
const RIGHTS_EVERY = 12;

type Shared = Exclude<SectionName, 'pod'>;

/** That the API server does not answer comes before all else. */
function withFailure(view: FederationView, failure: string | undefined): FederationView {
  if (failure === undefined) return view;
  const problem = {
    text: `the API server does not answer (${failure}): what is shown is what it said last`,
    next: 'see whether kubectl get nodes answers; if your kubeconfig gets tokens that end, start headcut console again',
  };
  return { ...view, problems: [problem, ...view.problems] };
}

export interface LiveSectionsDeps {
  watch: ClusterWatch;
  rights: Rights;
  client: Pick<KubeClient, 'list'>;
  clock: Clock;
}

/** Turns what is watched into what pages show, once for all of them, and only while there are any. */
export class LiveSections {
  readonly #deps: LiveSectionsDeps;
  readonly #viewers = new Set<Viewer>();
  readonly #last = new Map<Shared, string>();
  readonly #lastPod = new WeakMap<Viewer, string>();
  #rights: RightsView = { actions: [], namespaces: {}, unseen: [] };
  /** The namespaces whose rights are known. */
  #judged: string | undefined;
  #awaited: AbortController | undefined;
  #dirty = true;

  constructor(deps: LiveSectionsDeps) {
    this.#deps = deps;
    deps.watch.onChange(() => this.#touch());
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  add(viewer: Viewer): void {
    this.#viewers.add(viewer);
    for (const [name, json] of this.#last) viewer.send(name, json);
    this.#touch();
  }

  remove(viewer: Viewer): void {
    this.#viewers.delete(viewer);
  }

  /** Works until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    for (let turn = 0; !signal.aborted; turn += 1) {
      const quiet = new AbortController();
      this.#awaited = quiet;
      if (!this.#dirty) await clock.sleep(REFRESH_MS, AbortSignal.any([signal, quiet.signal])).catch(() => {});
      await clock.sleep(GATHER_MS, signal).catch(() => {});
      this.#dirty = false;
      if (this.#viewers.size === 0) continue;
      await this.#show(turn % RIGHTS_EVERY === 0);
    }
  }

  #touch(): void {
    this.#dirty = true;
    this.#awaited?.abort();
  }

  async #show(withRights: boolean): Promise<void> {
    const { watch } = this.#deps;
    const world = watch.world();
    const workloads = workloadsView(world, watch.makers());
    this.#tell('federation', withFailure(federationView(world), watch.failure));
    this.#tell('workloads', workloads);
    this.#tell('time', timeView(watch.moments(), watch.events()));
    for (const viewer of this.#viewers) await this.#showPod(viewer, world);
    const names = workloads.namespaces.map(({ name }) => name);
    // Of a new namespace it is asked at once what may be done there.
    if (withRights || names.join(' ') !== this.#judged) await this.#lookAtRights(names);
    this.#tell('rights', this.#rights);
  }

  async #lookAtRights(names: readonly string[]): Promise<void> {
    const { rights, watch } = this.#deps;
    try {
      const found = await rights.overview(names);
      this.#judged = names.join(' ');
      this.#rights = { ...found, unseen: watch.unseen };
    } catch {
      // The API server does not answer: what was known stays, and what is done is decided there.
    }
  }

  async #showPod(viewer: Viewer, world: World): Promise<void> {
    if (viewer.pod === undefined) return;
    const pod = this.#deps.watch.pod(viewer.pod);
    // Its events are asked for when it changed: nothing happens to a pod without that.
    const seen = `${viewer.pod} ${pod?.metadata.resourceVersion ?? 'gone'}`;
    if (this.#lastPod.get(viewer) === seen) return;
    this.#lastPod.set(viewer, seen);
    const section: Sections['pod'] =
      pod === undefined ? null : { pod: podView(world, pod), events: await this.#eventsOf(viewer.pod) };
    viewer.send('pod', JSON.stringify(section));
  }

  async #eventsOf(key: string): Promise<EventView[]> {
    const [namespace = '', name = ''] = key.split('/');
    const query = { fieldSelector: `involvedObject.kind=Pod,involvedObject.name=${name}` };
    try {
      return eventViews((await this.#deps.client.list(EVENTS, { namespace, query })).items);
    } catch {
      return [];
    }
  }

  #tell<Name extends Shared>(name: Name, section: Sections[Name]): void {
    const json = JSON.stringify(section);
    if (this.#last.get(name) === json) return;
    this.#last.set(name, json);
    for (const viewer of this.#viewers) viewer.send(name, json);
  }
}
