import { engine, modelState } from './engine';

/** What the graphics card still holds of a conversation that was deleted is given up at once. */
export function forgetSession(conversation: string): void {
  if (modelState.value.status !== 'ready') return;
  engine()
    .deleteSession(conversation)
    .catch((thrown: unknown) =>
      console.warn('tabmind could not give up the cache of a deleted chat.', thrown),
    );
}
