import type { Tokenizer } from './tokenizer';

/**
 * What models write around a tool call. Some tokenizers call these special and some do not; an answer without them could no
 * longer be told from text.
 */
const TOOL_MARKS = [
  '<tool_call>',
  '</tool_call>',
  '<|python_tag|>',
  '[TOOL_CALLS]',
  '[CALL_ID]',
  '[ARGS]',
  '<|action_start|>',
  '<|action_end|>',
  '<|plugin|>',
  '<|interpreter|>',
];

/** Ids of those marks that are tokens of this model. */
export function toolMarkIds(tokenizer: Pick<Tokenizer, 'idOf' | 'addedIds'>): ReadonlySet<number> {
  const ids = TOOL_MARKS.flatMap((mark) => tokenizer.idOf(mark) ?? []);
  return new Set(ids.filter((id) => tokenizer.addedIds.has(id)));
}
