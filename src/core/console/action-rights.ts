import { AGENT_NAMESPACE } from '../membership/join-secrets.ts';

/** What can be done from the console; each is an operation of the command by the same name. */
export const ACTIONS = [
  'invite',
  'approve',
  'offload',
  'unoffload',
  'drain',
  'undrain',
  'rebalance',
  'forget',
] as const;
export type ActionName = (typeof ACTIONS)[number];

/** Those whose subject is a namespace. */
export const NAMESPACE_ACTIONS: readonly ActionName[] = ['offload', 'unoffload', 'rebalance'];

/** Attributes of a request, as a SelfSubjectAccessReview asks for them. */
export interface AccessAttributes {
  verb: string;
  group: string;
  resource: string;
  subresource?: string;
  namespace?: string;
  name?: string;
}

const HEADCUT = 'headcut.dev';

/** What somebody must be allowed for an action. @param subject the namespace or member that it is about */
export function neededFor(action: ActionName, subject: string): AccessAttributes[] {
  const core = (verb: string, resource: string, more: Partial<AccessAttributes> = {}): AccessAttributes => ({
    ...{ verb, group: '', resource },
    ...more,
  });
  const evict = (namespace?: string): AccessAttributes =>
    core('create', 'pods', { subresource: 'eviction', ...(namespace === undefined ? {} : { namespace }) });
  // For the API server a namespace lies in itself.
  const ofNamespace = { namespace: subject, name: subject };
  switch (action) {
    case 'invite':
      return [
        core('create', 'secrets', { namespace: AGENT_NAMESPACE }),
        core('list', 'secrets', { namespace: AGENT_NAMESPACE }),
      ];
    case 'approve':
      return [{ verb: 'patch', group: HEADCUT, resource: 'federations', name: 'headcut' }];
    case 'offload':
      return [core('patch', 'namespaces', ofNamespace), core('list', 'pods', { namespace: subject })];
    case 'unoffload':
      return [
        core('patch', 'namespaces', ofNamespace),
        { verb: 'delete', group: HEADCUT, resource: 'offloadings', namespace: subject },
        core('list', 'nodes'),
        evict(subject),
      ];
    case 'drain':
      return [core('patch', 'nodes'), core('list', 'pods'), evict()];
    case 'undrain':
      return [core('patch', 'nodes')];
    case 'rebalance':
      return [core('list', 'nodes'), core('list', 'pods'), evict(subject)];
    case 'forget':
      return [{ verb: 'delete', group: HEADCUT, resource: 'peers' }, core('list', 'pods')];
  }
}

/** What the user of the console may do and see. */
export interface RightsView {
  /** About members. */
  actions: ActionName[];
  /** About namespaces, by name. */
  namespaces: Record<string, ActionName[]>;
  /** What is not shown because it may not be seen: `members`, `nodes`, `pods of other namespaces` … */
  unseen: string[];
}
