/** Names as Kubernetes checks them, for what others say and what an API server would refuse as a whole because of one of them. */

const LABEL = '[a-z0-9]([a-z0-9-]*[a-z0-9])?';
const NAME = '[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?';
const DNS_LABEL = new RegExp(`^${LABEL}$`);
const QUALIFIED_NAME = new RegExp(`^(?:(?=[^/]{1,253}/)${LABEL}(\\.${LABEL})*/)?${NAME}$`);
/** For schemas. */
export const LABEL_VALUE_PATTERN = `^(${NAME})?$`;
const LABEL_VALUE = new RegExp(LABEL_VALUE_PATTERN);
/** A prefix, a slash and a name. */
const LONGEST_QUALIFIED_NAME = 317;

/** The name of a port, for example. */
export function isDnsLabel(text: string): boolean {
  return text.length <= 63 && DNS_LABEL.test(text);
}

/** The key of a label or annotation, or an application protocol: a name, and before it a DNS name and a slash, or neither. */
export function isQualifiedName(text: string): boolean {
  return text.length <= LONGEST_QUALIFIED_NAME && QUALIFIED_NAME.test(text);
}

/** As for schemas; it may be empty. */
export function isLabelValue(text: string): boolean {
  return LABEL_VALUE.test(text);
}
