import { signal } from '@preact/signals';
import { type ErrorCode, TabmindError } from '../../src/index';
import { en } from '../i18n/en';
import { type AnswerEnd, type MessageRecord, RECORD_VERSION } from '../storage/conversation-record';
import type { Answer, AnswerState, Message } from './message';

/** A message as it is stored. */
export function toRecord(conversation: string, message: Message): MessageRecord {
  const { id, parent, createdMs } = message;
  const place = { version: RECORD_VERSION, conversation, id, parent, createdMs } as const;
  if (message.role === 'user') {
    const { text, files = [] } = message;
    return { ...place, role: 'user', text, ...(files.length === 0 ? {} : { files: [...files] }) };
  }
  return {
    ...place,
    role: 'assistant',
    text: message.text.value,
    model: message.model,
    end: endOf(message.state.value),
    thinkingMs: message.thinkingMs.value,
  };
}

function endOf(state: AnswerState): AnswerEnd {
  switch (state.status) {
    case 'waiting':
    case 'answering':
    case 'elsewhere':
      return { status: 'running' };
    case 'done': {
      const { finishReason, usage, timings } = state;
      return { status: 'done', finishReason, usage, timings };
    }
    case 'failed': {
      const { code, message, meaning, remedy, details } = state.error.toPlain();
      return { status: 'failed', error: { code, message, meaning, remedy, details: { ...details } } };
    }
  }
}

/**
 * A stored message as the page shows it. An answer that was still running when it was stored is stopped now, unless
 * another tab computes it (`isHeld`).
 */
export function fromRecord(record: MessageRecord, isHeld: (id: string) => boolean): Message {
  const { id, parent, createdMs } = record;
  const place = { id, parent, createdMs };
  if (record.role === 'user') {
    const { text, files = [] } = record;
    return { ...place, role: 'user', text, ...(files.length === 0 ? {} : { files }) };
  }
  return {
    ...place,
    role: 'assistant',
    model: record.model,
    text: signal(record.text),
    state: signal(stateOf(record.end, isHeld(id))),
    thinkingMs: signal(record.thinkingMs),
  };
}

function stateOf(end: AnswerEnd, isHeld: boolean): AnswerState {
  if (end.status === 'done') return end;
  if (end.status === 'failed') {
    const { code, message, ...words } = end.error;
    return { status: 'failed', error: new TabmindError(knownCode(code), message, words) };
  }
  if (isHeld) return { status: 'elsewhere' };
  return { status: 'done', finishReason: 'abort', usage: null, timings: null };
}

/** A code of a newer page would have no words here. */
function knownCode(code: string): ErrorCode {
  const isKnown = (name: string): name is ErrorCode => Object.hasOwn(en.error.texts, name);
  return isKnown(code) ? code : 'internal';
}

/** Takes over what another tab has written, keeping the object that the page already draws. */
export function updateAnswer(answer: Answer, stored: Answer): void {
  answer.text.value = stored.text.value;
  answer.state.value = stored.state.value;
  answer.thinkingMs.value = stored.thinkingMs.value;
}
