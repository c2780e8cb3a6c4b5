import Type, { type TSchema } from 'typebox';
import { Check } from 'typebox/value';
import { CodedError } from '../core/coded-error.ts';
import { PeerRecordSchema } from './endpoints.ts';
import type { SessionMessage } from './session-message.ts';

const Text = Type.String({ maxLength: 1024 });
const TextMap = Type.Record(Type.String(), Text);
const Offer = Type.Object({
  capacity: TextMap,
  allocatable: TextMap,
  nodeInfo: Type.Object({}),
  labels: TextMap,
  accepting: Type.Boolean(),
});
const RemotePod = Type.Object({
  uid: Type.String({ minLength: 1, maxLength: 64 }),
  namespace: Text,
  name: Text,
  deleting: Type.Boolean(),
  status: Type.Optional(Type.Object({})),
  digest: Type.Optional(Text),
});

const MemberId = Type.String({ maxLength: 64 });
const Reached = Type.Record(Type.String(), Type.Number({ minimum: 0 }), {
  maxProperties: 500,
  propertyNames: { maxLength: 64 },
});

/** What is read of each message is described; more fields may come from newer members. */
const SCHEMAS: Record<SessionMessage['type'], TSchema> = {
  hello: Type.Object({ id: Text, protocol: Type.Integer(), version: Text }),
  roster: Type.Object({ records: Type.Array(PeerRecordSchema, { maxItems: 500 }) }),
  'roster-digest': Type.Object({ digest: Type.String({ maxLength: 64 }) }),
  offer: Type.Object({ offer: Offer }),
  pods: Type.Object({ pods: Type.Array(RemotePod) }),
  pod: Type.Object({ pod: RemotePod }),
  'pod-gone': Type.Object({ uid: Text }),
  heartbeat: Type.Object({ now: Type.Optional(Type.Number()) }),
  reach: Type.Object({ members: Reached }),
  'reach-change': Type.Object({ reached: Reached, lost: Type.Array(MemberId, { maxItems: 500 }) }),
  bye: Type.Object({}),
};

/** One line of a session; undefined for a kind that this version does not know. Throws InvalidArgument. */
export function parseSessionMessage(line: string): SessionMessage | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new CodedError('InvalidArgument', 'a line of the session is no JSON', error);
  }
  const type = (value as { type?: unknown } | null)?.type;
  if (typeof type !== 'string') throw new CodedError('InvalidArgument', 'a line of the session has no type');
  if (!Object.hasOwn(SCHEMAS, type)) return undefined;
  if (!Check(SCHEMAS[type as SessionMessage['type']], value)) {
    throw new CodedError('InvalidArgument', `a ${type} message of the session is malformed`);
  }
  return value as SessionMessage;
}
