/** RFC 6902; nothing else is needed. */
export interface AddOperation {
  op: 'add';
  path: string;
  value: unknown;
}
