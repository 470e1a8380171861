import { fieldsOf } from '../storage/local-record';

/** What a model asks for instead of saying something. */
export interface ToolCall {
  readonly kind: 'call';
  /** Null as long as it has not been written, and where it cannot be made out. */
  readonly name: string | null;
  /** Its arguments as JSON of several lines; what the model wrote where that is no JSON. */
  readonly body: string;
  /** It is still being written. */
  readonly isRunning: boolean;
}

export interface AnswerText {
  readonly kind: 'text';
  readonly text: string;
}

export type AnswerPart = AnswerText | ToolCall;

/** How a family of models marks a call. `close` is null where it reaches to the next mark or the end of the answer. */
interface Marks {
  readonly open: string;
  readonly close: string | null;
}

const MARKS: readonly Marks[] = [
  // Qwen, Hermes, SmolLM3
  { open: '<tool_call>', close: '</tool_call>' },
  // InternLM
  { open: '<|action_start|>', close: '<|action_end|>' },
  // Llama 3.1 and later
  { open: '<|python_tag|>', close: null },
  // Mistral
  { open: '[TOOL_CALLS]', close: null },
];

/** In front of what InternLM calls: a function, or its interpreter of Python. */
const INTERNLM_KIND = /^<\|(plugin|interpreter)\|>/;
/** Newer Mistral models: name, perhaps an id, arguments. */
const MISTRAL_CALL = /^([\w.-]+)\s*(?:\[CALL_ID\][^[]*)?\[ARGS\]([\s\S]*)$/;
/** Qwen3-Coder's own format, and calls in Python. */
const NAMES = [/"name"\s*:\s*"([^"\\]+)"/, /^<function=([^>\s]+)>/, /^([A-Za-z_][\w.]*)\(/];

/**
 * Cuts an answer into what it says and what it calls. Marks in code are text. While it streams, a call without its end is
 * running, and half a mark at the end is not shown.
 */
export function splitToolCalls(answer: string, isStreaming: boolean): readonly AnswerPart[] {
  const parts: AnswerPart[] = [];
  let from = 0;
  for (let found = nextMark(answer, 0); found !== null; found = nextMark(answer, from)) {
    addText(parts, answer.slice(from, found.at));
    const { marks, at } = found;
    const start = at + marks.open.length;
    const end = endOf(answer, marks, start);
    const isRunning = isStreaming && end.at === answer.length && !end.isClosed;
    const inner = answer.slice(start, end.at);
    parts.push(...callsOf(isRunning ? withoutHalfMark(inner, marks.close) : inner, isRunning));
    from = end.next;
  }
  const rest = answer.slice(from);
  if (isStreaming)
    addText(
      parts,
      MARKS.reduce((text, { open }) => withoutHalfMark(text, open), rest),
    );
  else if (from === 0 && isBareCall(rest)) parts.push(...callsOf(rest, false));
  else addText(parts, rest);
  return parts;
}

function addText(parts: AnswerPart[], text: string): void {
  // what stands between two calls is only there to part them
  if (text.trim() !== '') parts.push({ kind: 'text', text: parts.length === 0 ? text : text.trimStart() });
}

function nextMark(answer: string, from: number): { readonly marks: Marks; readonly at: number } | null {
  let first: { readonly marks: Marks; readonly at: number } | null = null;
  for (const marks of MARKS) {
    let at = answer.indexOf(marks.open, from);
    while (at !== -1 && isInCode(answer, from, at)) at = answer.indexOf(marks.open, at + 1);
    if (at !== -1 && (first === null || at < first.at)) first = { marks, at };
  }
  return first;
}

/** In a fenced block, or between backticks of its line. */
function isInCode(answer: string, from: number, at: number): boolean {
  const lines = answer.slice(from, at).split('\n');
  const numFences = lines.filter((line) => /^ {0,3}(```|~~~)/.test(line)).length;
  if (numFences % 2 === 1) return true;
  return ((lines.at(-1) ?? '').split('`').length - 1) % 2 === 1;
}

interface End {
  /** Where the call ends, and where what follows begins. */
  readonly at: number;
  readonly next: number;
  readonly isClosed: boolean;
}

function endOf(answer: string, { open, close }: Marks, start: number): End {
  const at = answer.indexOf(close ?? open, start);
  if (at === -1) return { at: answer.length, next: answer.length, isClosed: false };
  return { at, next: at + (close?.length ?? 0), isClosed: true };
}

function withoutHalfMark(text: string, mark: string | null): string {
  if (mark === null) return text;
  for (let length = mark.length - 1; length > 0; length--)
    if (text.endsWith(mark.slice(0, length))) return text.slice(0, -length);
  return text;
}

/** Small Llamas forget the mark: the whole answer is a call. */
function isBareCall(answer: string): boolean {
  if (!/^\s*\{\s*"(name|type)"/.test(answer)) return false;
  const { name, parameters } = fieldsOf(parsed(answer.trim()));
  return typeof name === 'string' && typeof parameters === 'object' && parameters !== null;
}

/** The calls between two marks: models may write several as a list, or with semicolons. */
function callsOf(inner: string, isRunning: boolean): readonly ToolCall[] {
  const kind = INTERNLM_KIND.exec(inner.trim());
  const text = inner.trim().replace(INTERNLM_KIND, '').trim();
  if (kind?.[1] === 'interpreter') return [{ kind: 'call', name: 'interpreter', body: text, isRunning }];
  const mistral = MISTRAL_CALL.exec(text);
  if (mistral !== null) {
    const [, name = null, body = ''] = mistral;
    return [{ kind: 'call', name, body: prettyJson(body.trim()), isRunning }];
  }
  const values = parsedAll(text);
  if (values === null || values.length === 0) return [{ kind: 'call', ...rawCall(text), isRunning }];
  return values.map((value) => ({ kind: 'call', ...namedCall(value), isRunning }));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Null where any of it is no JSON. */
function parsedAll(text: string): readonly unknown[] | null {
  const whole = parsed(text);
  if (whole !== undefined) return Array.isArray(whole) ? whole : [whole];
  const values = text.split(/;\s*(?=\{)/).map((part) => parsed(part.trim()));
  return values.includes(undefined) ? null : values;
}

function namedCall(value: unknown): Pick<ToolCall, 'name' | 'body'> {
  const fields = fieldsOf(value);
  const { name } = fields;
  if (typeof name !== 'string') return { name: null, body: JSON.stringify(value, null, 2) };
  const given = fields.arguments ?? fields.parameters ?? {};
  return { name, body: typeof given === 'string' ? prettyJson(given) : JSON.stringify(given, null, 2) };
}

function rawCall(text: string): Pick<ToolCall, 'name' | 'body'> {
  const name = NAMES.map((pattern) => pattern.exec(text)?.[1]).find((found) => found !== undefined);
  return { name: name ?? null, body: text };
}

function prettyJson(text: string): string {
  const value = parsed(text);
  return value === undefined ? text : JSON.stringify(value, null, 2);
}
