import { CodedError } from '../core/coded-error.ts';
import { parseJson } from '../core/json-bounds.ts';
import type { LocalCaller } from '../runtime/local-http.ts';
import { readReply, toTarget } from './check.ts';
import type { ArgumentsOf, CallDefinition, ReplyOf } from './definition.ts';

/**
 * Calls a process beside us. Throws Unavailable when nobody answers, and Internal with what went wrong there, or when the answer is
 * not what the definition says.
 * @param who the process, for people
 */
export async function askBeside<D extends CallDefinition & { withinMs: number; replyBytes: number }>(
  caller: LocalCaller,
  who: string,
  definition: D,
  asked: ArgumentsOf<D>,
): Promise<ReplyOf<D>> {
  const { method, withinMs, replyBytes } = definition;
  const { body } = asked as { body?: unknown };
  const { status, text } = await caller.ask({
    method,
    target: toTarget(definition, asked),
    withinMs,
    maxBytes: replyBytes,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (status === 200) return readReply(definition, text, who);
  throw new CodedError('Internal', `${who} failed: ${problemIn(text) ?? `it answered ${status}`}`);
}

function problemIn(text: string): string | undefined {
  try {
    const { message } = parseJson(text) as { message?: unknown };
    return typeof message === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}
