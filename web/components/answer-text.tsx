export interface AnswerTextProps {
  readonly text: string;
  /** More of it is still to come. */
  readonly isStreaming: boolean;
}

/** The text of an answer, as it stands. */
export function AnswerText({ text, isStreaming }: AnswerTextProps) {
  return (
    <div class="answer-plain" data-streaming={isStreaming}>
      {text}
    </div>
  );
}
