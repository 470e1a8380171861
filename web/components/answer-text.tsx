import { Markdown, type MarkdownProps } from '../markdown/markdown';

export interface AnswerTextProps {
  readonly text: MarkdownProps['source'];
  readonly isStreaming: boolean;
}

/** What the model said, formatted. */
export function AnswerText({ text, isStreaming }: AnswerTextProps) {
  return <Markdown source={text} isStreaming={isStreaming} />;
}
