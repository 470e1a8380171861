import { words } from '../i18n/locale';
import type { Obstacle } from '../state/capability';
import { CopyButton } from './copy-button';

/** Addresses a page may not link to, so they are shown for copying. */
const LINUX_FLAGS = ['chrome://flags/#enable-unsafe-webgpu', 'chrome://flags/#enable-vulkan'] as const;

const isLinux = /Linux/.test(navigator.userAgent) && !/Android/.test(navigator.userAgent);

interface StepProps {
  readonly title: string;
  readonly text: string;
  readonly addresses?: readonly string[];
  readonly isYours?: boolean;
}

function Step({ title, text, addresses = [], isYours = false }: StepProps) {
  return (
    <li>
      <h4>
        {title}
        {isYours && <span class="badge">{words.value.capability.yours}</span>}
      </h4>
      <p>{text}</p>
      {addresses.map((address) => (
        <p key={address} class="address">
          <code>{address}</code>
          <CopyButton text={() => address} label={words.value.capability.copyAddress(address)} />
        </p>
      ))}
    </li>
  );
}

/** Shown instead of the chat when no model can run in this browser: why, and what to do, likeliest first. */
export function CapabilityHelp({ obstacle }: { readonly obstacle: Obstacle }) {
  const text = words.value.capability;
  const linux = <Step key="linux" {...text.linux} addresses={LINUX_FLAGS} isYours={isLinux} />;
  return (
    <main class="capability">
      <div class="capability-content">
        <h2>{text.heading}</h2>
        <p class="capability-why">{text[obstacle]}</p>
        <h3 class="capability-steps-title">{text.stepsTitle}</h3>
        <ol class="steps">
          {obstacle === 'insecure' && <Step {...text.secure} />}
          {obstacle === 'missing' && <Step {...text.browser} />}
          {isLinux && linux}
          <Step {...text.acceleration} />
          {!isLinux && linux}
          <Step {...text.driver} />
        </ol>
        <button type="button" class="button" onClick={() => location.reload()}>
          {text.again}
        </button>
      </div>
    </main>
  );
}
