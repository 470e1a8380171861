import { Environment, Interpreter, Template } from '@huggingface/jinja';
import { TabmindError } from '../errors';
import type { ChatMessage } from '../protocol';
import { templateGlobals } from './template-globals';
import type { Tokenizer } from './tokenizer';
import type { NamedTemplate } from './tokenizer-config';

/**
 * 'template': the repository's own. 'chatml': the default for a tokenizer that knows `<|im_start|>` and
 * `<|im_end|>`. 'plain': for base models, which continue a text and know no turns.
 */
export type ChatTemplateKind = 'template' | 'chatml' | 'plain';

/** ChatML: `<|im_start|>role\ncontent<|im_end|>\n` for each message. */
export const CHATML_TEMPLATE =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** The contents of all messages with a line break between, nothing else: one message is continued as it stands. */
export const PLAIN_TEMPLATE =
  "{% for message in messages %}{{ message['content'] }}{% if not loop.last %}{{ '\\n' }}{% endif %}{% endfor %}";

/** Stands behind a text to find its end again: of the private use area, so that no template looks for it or trims it. */
const END_MARK = '\uF8FF';
const THINK_TAG = /<\/?think>/;
const ENDS_IN_THINK_TAG = /<\/?think>\s*$/;

/** What the template needs to know of a tokenizer. */
export type TemplateTokens = Pick<Tokenizer, 'config' | 'idOf'>;

export interface RenderOptions {
  /** End with the opening of the assistant's turn. Default true. */
  readonly addGenerationPrompt?: boolean;
  /** OpenAI tool definitions. */
  readonly tools?: readonly unknown[];
  /** What `strftime_now` tells. Default: this moment. */
  readonly now?: Date;
}

/** Messages → prompt text, through a model's Jinja template. */
export class ChatTemplate {
  readonly kind: ChatTemplateKind;
  readonly #templates: ReadonlyMap<string, Template>;
  readonly #namedTokens: ReadonlyMap<string, string>;

  private constructor(kind: ChatTemplateKind, sources: readonly NamedTemplate[], tokens: TemplateTokens) {
    this.kind = kind;
    this.#templates = new Map(sources.map(({ name, template }) => [name, parseTemplate(template)]));
    this.#namedTokens = tokens.config.namedTokens;
  }

  /**
   * @param file text of chat_template.jinja, which goes before tokenizer_config.json's; null when there is none.
   * @throws TabmindError 'bad-template' when the template does not parse, or none of several is the default.
   */
  static create(tokens: TemplateTokens, file: string | null): ChatTemplate {
    const { chatTemplates } = tokens.config;
    const sources = file === null ? chatTemplates : [{ name: 'default', template: file }];
    const [only] = sources;
    if (only === undefined) return ChatTemplate.#createDefault(tokens);
    if (sources.length === 1) return new ChatTemplate('template', [{ ...only, name: 'default' }], tokens);
    const names = sources.map(({ name }) => name);
    if (!names.includes('default'))
      throw new TabmindError(
        'bad-template',
        `tokenizer_config.json has no default chat template, only ${names.join(', ')}`,
        {
          meaning: 'It is not known how this model wants to be addressed.',
          remedy: 'Choose another model.',
        },
      );
    return new ChatTemplate('template', sources, tokens);
  }

  static #createDefault(tokens: TemplateTokens): ChatTemplate {
    const chatml = tokens.idOf('<|im_start|>') !== null && tokens.idOf('<|im_end|>') !== null;
    const template = chatml ? CHATML_TEMPLATE : PLAIN_TEMPLATE;
    return new ChatTemplate(chatml ? 'chatml' : 'plain', [{ name: 'default', template }], tokens);
  }

  /** For `Tokenizer.encode`: a template writes its own begin-of-text token, a plain text gets the tokenizer's. */
  get addSpecialTokens(): boolean {
    return this.kind === 'plain';
  }

  /**
   * @throws TabmindError 'bad-template' when the template refuses the conversation (`raise_exception`) or fails;
   *   'bad-request' without messages.
   */
  render(messages: readonly ChatMessage[], options: RenderOptions = {}): string {
    if (messages.length === 0)
      throw new TabmindError('bad-request', 'The conversation has no messages', {
        remedy: 'Send at least one message.',
      });
    const tools = options.tools !== undefined && options.tools.length > 0 ? options.tools : null;
    const template = (tools && this.#templates.get('tool_use')) ?? this.#templates.get('default');
    if (template === undefined)
      throw new TabmindError('internal', 'A chat template without a default was built');
    const inputs: Record<string, unknown> = {
      ...templateGlobals(options.now ?? new Date()),
      // Templates add these to texts without asking whether they are set.
      bos_token: '',
      eos_token: '',
      ...Object.fromEntries(this.#namedTokens),
      messages,
      add_generation_prompt: options.addGenerationPrompt ?? true,
    };
    inputs.tools = tools;
    return renderTemplate(template, inputs);
  }

  /**
   * The prompt behind which the last message goes on, whose text is its end. Templates take thinking out of messages, and
   * base models know none: there the text stands behind what such an answer begins with, just as the model had it before it.
   *
   * @throws TabmindError as `render` does; 'bad-request' when the last message is not the assistant's; 'bad-template' when
   *   the template does not show its text.
   */
  renderContinued(messages: readonly ChatMessage[], options: RenderOptions = {}): string {
    const last = messages.at(-1);
    if (last?.role !== 'assistant')
      throw new TabmindError('bad-request', 'The last message is no answer to go on with', {
        remedy: "End with the assistant's message.",
      });
    const before = messages.slice(0, -1);
    if (before.length > 0) {
      const opened = this.render(before, options);
      const thinks = THINK_TAG.test(last.content) || ENDS_IN_THINK_TAG.test(opened);
      if (thinks || this.kind === 'plain') return opened + last.content;
    }
    const marked = { ...last, content: last.content + END_MARK };
    const whole = this.render([...before, marked], { ...options, addGenerationPrompt: false });
    const end = whole.lastIndexOf(END_MARK);
    if (end >= 0 && whole.slice(0, end).endsWith(last.content.trimStart())) return whole.slice(0, end);
    throw badTemplate('cannot continue an answer', 'it does not show its text');
  }
}

function parseTemplate(source: string): Template {
  try {
    return new Template(source);
  } catch (cause) {
    throw badTemplate('does not parse', cause);
  }
}

function renderTemplate(template: Template, inputs: Readonly<Record<string, unknown>>): string {
  try {
    const environment = new Environment();
    for (const [name, value] of Object.entries(inputs)) environment.set(name, value);
    return String(new Interpreter(environment).run(template.parsed).value);
  } catch (cause) {
    if (cause instanceof TabmindError) throw cause;
    throw badTemplate('cannot render this conversation', cause);
  }
}

function badTemplate(what: string, cause: unknown): TabmindError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new TabmindError('bad-template', `The model's chat template ${what}: ${reason}`, {
    meaning: 'The conversation cannot be written in the form that the model expects.',
    remedy: 'Start a new chat, or choose another model.',
    details: { reason },
    cause,
  });
}
