import { chatWords } from '../i18n/chat';
import { formatBytes, formatCount } from '../i18n/format';
import {
  type AttachProblem,
  attached,
  attachProblem,
  detach,
  MAX_FILE_BYTES,
  MAX_FILES,
} from '../state/attachments';
import type { AttachedFile } from '../state/message';
import { focusComposer } from '../state/message-box';
import { DRAWINGS } from './drawings';
import { Icon } from './icon';
import { IconButton } from './icon-button';

const sizeOf = ({ text }: AttachedFile): string => formatBytes(new TextEncoder().encode(text).length);

function problemText({ kind, name }: AttachProblem): string {
  const { files } = chatWords.value;
  if (kind === 'too-large') return files.tooLarge(name, formatBytes(MAX_FILE_BYTES));
  return kind === 'too-many' ? files.tooMany(name, formatCount(MAX_FILES)) : files.notText(name);
}

/** What goes with the next message, above the message box, and what could not be taken. */
export function AttachedFiles() {
  const { files } = chatWords.value;
  const chosen = attached.value;
  const problem = attachProblem.value;
  if (chosen.length === 0 && problem === null) return null;
  return (
    <div class="attached">
      {chosen.length > 0 && (
        <ul aria-label={files.list}>
          {chosen.map((file) => (
            <li key={file.name} class="attached-file">
              <Icon name={DRAWINGS.file} />
              <span class="attached-name" dir="auto">
                {file.name}
              </span>
              <span class="attached-size">{sizeOf(file)}</span>
              <IconButton
                icon="close"
                label={files.remove(file.name)}
                onClick={() => {
                  detach(file.name);
                  focusComposer();
                }}
              />
            </li>
          ))}
        </ul>
      )}
      <p class="attach-problem" role="alert">
        {problem !== null && problemText(problem)}
      </p>
    </div>
  );
}

/** The files of a question that was asked, each folded away under its name. */
export function QuestionFiles({ files }: { readonly files: readonly AttachedFile[] }) {
  return (
    <>
      {files.map((file) => (
        <details key={file.name} class="question-file">
          <summary>
            <Icon name={DRAWINGS.file} />
            <span class="attached-name" dir="auto">
              {file.name}
            </span>
            <span class="attached-size">{sizeOf(file)}</span>
          </summary>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard. */}
          <pre tabIndex={0} dir="auto">
            {file.text}
          </pre>
        </details>
      ))}
    </>
  );
}
