import { chatWords } from '../i18n/chat';
import { changeHead } from '../state/archive';
import { openHead, openId } from '../state/conversation';
import { Segments } from './segments';

const CHOICES = ['stop', 'drop'] as const;

/** What happens when this conversation no longer fits the model's context. */
export function ContextChoice() {
  const { context } = chatWords.value;
  return (
    <Segments
      legend={context.full}
      name="context-full"
      options={CHOICES}
      labels={{ stop: context.stop, drop: context.drop }}
      chosen={openHead.value.dropsOldest ? 'drop' : 'stop'}
      onChoose={(chosen) => changeHead(openId.value, { dropsOldest: chosen === 'drop' })}
    />
  );
}
