import * as v from 'valibot';

/** Records of another version are left as they are and not shown. */
export const RECORD_VERSION = 1;

const time = v.pipe(v.number(), v.finite());

/** Loose, so that fields of a newer page survive being written by this one. */
const headSchema = v.looseObject({
  version: v.literal(RECORD_VERSION),
  id: v.pipe(v.string(), v.minLength(1)),
  title: v.string(),
  isNamed: v.boolean(),
  isPinned: v.boolean(),
  systemPrompt: v.string(),
  dropsOldest: v.boolean(),
  createdMs: time,
  updatedMs: time,
  leaf: v.nullable(v.string()),
});

const place = {
  version: v.literal(RECORD_VERSION),
  conversation: v.string(),
  id: v.pipe(v.string(), v.minLength(1)),
  parent: v.nullable(v.string()),
  createdMs: time,
  text: v.string(),
};

const usageSchema = v.object({
  prompt_tokens: v.number(),
  completion_tokens: v.number(),
  total_tokens: v.number(),
  prompt_tokens_details: v.object({ cached_tokens: v.number() }),
});

const timingsSchema = v.object({
  ttftMs: v.number(),
  totalMs: v.number(),
  tpotMs: v.number(),
  itlP95Ms: v.number(),
  prefillTokensPerSecond: v.number(),
  decodeTokensPerSecond: v.number(),
});

const endSchema = v.variant('status', [
  v.object({ status: v.literal('running') }),
  v.object({
    status: v.literal('done'),
    finishReason: v.picklist(['stop', 'length', 'abort']),
    usage: v.nullable(usageSchema),
    timings: v.nullable(timingsSchema),
  }),
  v.object({
    status: v.literal('failed'),
    error: v.object({
      code: v.string(),
      message: v.string(),
      meaning: v.string(),
      remedy: v.string(),
      details: v.record(v.string(), v.union([v.string(), v.number()])),
    }),
  }),
]);

const messageSchema = v.variant('role', [
  v.looseObject({
    ...place,
    role: v.literal('user'),
    files: v.exactOptional(v.array(v.object({ name: v.string(), text: v.string() }))),
  }),
  v.looseObject({
    ...place,
    role: v.literal('assistant'),
    model: v.string(),
    end: endSchema,
    thinkingMs: v.nullable(v.number()),
  }),
]);

export type HeadRecord = v.InferOutput<typeof headSchema>;
export type MessageRecord = v.InferOutput<typeof messageSchema>;
export type AnswerEnd = v.InferOutput<typeof endSchema>;

/** Null for anything that this version cannot read. */
export function readHead(value: unknown): HeadRecord | null {
  const parsed = v.safeParse(headSchema, value);
  return parsed.success ? parsed.output : null;
}

/** Null for anything that this version cannot read. */
export function readMessage(value: unknown): MessageRecord | null {
  const parsed = v.safeParse(messageSchema, value);
  return parsed.success ? parsed.output : null;
}
