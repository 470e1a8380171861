import { chatWords } from '../i18n/chat';
import type { ToolCall } from '../state/tool-calls';
import { DRAWINGS } from './drawings';
import { Icon } from './icon';

/** What the model wants to have called, folded away under the name. It is shown, never run. */
export function ToolCallBlock({ call }: { readonly call: ToolCall }) {
  const { name, body, isRunning } = call;
  const { toolCall } = chatWords.value;
  const label = isRunning
    ? name === null
      ? toolCall.running
      : toolCall.runningNamed(name)
    : name === null
      ? toolCall.done
      : toolCall.named(name);
  return (
    <details class={isRunning ? 'tool-call tool-call-running' : 'tool-call'}>
      <summary>
        <Icon name={DRAWINGS.branchNext} />
        <span dir="auto">{label}</span>
      </summary>
      <pre class="tool-call-body" dir="ltr">
        {body}
      </pre>
    </details>
  );
}
