import { createHash } from 'node:crypto';
import type { ConfigObject } from '../kube-objects.ts';

/**
 * What the name of a reflected object begins with. What somebody else puts into a twin namespace is called otherwise, so a guest,
 * whose references all get this prefix, can name only what its home sent; and nothing of the provider's is in the way.
 */
const PREFIX = 'headcut-home.';
/** For names that are too long with the prefix: the hash of the name follows. */
const LONG_PREFIX = 'headcut-home-long.';
/** Longest name of an object (RFC 1123 subdomain). */
const MAX_NAME = 253;

/** Former names: the object's own, but for the ConfigMap that every namespace has, with the CA of its own cluster. */
const ROOT_CA = 'kube-root-ca.crt';
const FORMER_ROOT_CA = 'headcut-home-root-ca.crt';

/** Tells the name that an object of the consumer has in the twin namespace. */
export type ReflectedNames = (kind: ConfigObject['kind'], name: string) => string;

/** Two names of the consumer never get the same one. */
export const reflectedName: ReflectedNames = (_kind, name) => {
  if (!isTooLong(name)) return `${PREFIX}${name}`;
  return `${LONG_PREFIX}${createHash('sha256').update(name).digest('hex')}`;
};

function isTooLong(name: string): boolean {
  return PREFIX.length + name.length > MAX_NAME;
}

/** The names for pods that the versions before `reflectedName` made: a pod's references cannot be changed. */
export const formerReflectedName: ReflectedNames = (kind, name) =>
  kind === 'ConfigMap' && name === ROOT_CA ? FORMER_ROOT_CA : name;

/** The text with the names that the consumer knows. @param names the consumer's names that may be in it */
export function withHomeNames(text: string, names: () => string[]): string {
  let said = text.includes(FORMER_ROOT_CA) ? text.replaceAll(FORMER_ROOT_CA, ROOT_CA) : text;
  if (said.includes(LONG_PREFIX))
    for (const name of names()) if (isTooLong(name)) said = said.replaceAll(reflectedName('ConfigMap', name), name);
  return said.includes(PREFIX) ? said.replaceAll(PREFIX, '') : said;
}
