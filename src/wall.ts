import { type TransferHandler, transferHandlers } from 'comlink';
import { type PlainError, TabmindError } from './errors';

/**
 * Teaches Comlink to carry a TabmindError whole: its own handler keeps only name, message and stack. Both sides of the
 * wall call this before they speak.
 */
export function carryErrors(): void {
  const plain = transferHandlers.get('throw') as TransferHandler<{ value: unknown }, unknown> | undefined;
  if (!plain) throw new TabmindError('internal', 'Comlink has no handler for thrown values');
  transferHandlers.set('throw', {
    canHandle: plain.canHandle,
    serialize: (thrown: { value: unknown }) =>
      thrown.value instanceof TabmindError ? [thrown.value.toPlain(), []] : plain.serialize(thrown),
    deserialize: (sent: unknown) => {
      if (isPlainError(sent)) throw TabmindError.fromPlain(sent);
      return plain.deserialize(sent);
    },
  } satisfies TransferHandler<{ value: unknown }, unknown> as TransferHandler<unknown, unknown>);
}

function isPlainError(sent: unknown): sent is PlainError {
  return typeof sent === 'object' && sent !== null && 'tabmind' in sent;
}
