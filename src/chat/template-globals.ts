import { TabmindError } from '../errors';

/** Longest list that `range()` makes: a template loops over messages, not over millions. */
const MAX_RANGE = 100_000;

const MONTHS = 'January February March April May June July August September October November December'.split(
  ' ',
);
const DAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');

/**
 * The names that a chat template may use besides its inputs, as Hugging Face transformers defines them.
 * @param now the moment that `strftime_now` tells, in local time.
 */
export function templateGlobals(now: Date): Readonly<Record<string, unknown>> {
  return {
    true: true,
    True: true,
    false: false,
    False: false,
    none: null,
    None: null,
    range,
    raise_exception: (reason: unknown) => {
      throw new TabmindError(
        'bad-template',
        `The model's chat template refuses this conversation: ${String(reason)}`,
        {
          meaning: 'The model was trained on conversations of another form.',
          remedy: 'Start a new chat, without a system prompt and with turns that alternate.',
          details: { reason: String(reason) },
        },
      );
    },
    strftime_now: (format: unknown) => strftime(now, String(format)),
  };
}

function range(first: number, stop?: number, step = 1): number[] {
  const [from, to] = stop === undefined ? [0, first] : [first, stop];
  const length = Math.max(0, Math.ceil((to - from) / step));
  if (!(length <= MAX_RANGE))
    throw new TabmindError('bad-template', `The chat template asks for range(${from}, ${to}, ${step})`, {
      remedy: 'Choose another model.',
    });
  return Array.from({ length }, (_, index) => from + index * step);
}

/** Python's strftime in the C locale: a model that was trained on "July" must not read "7月". */
function strftime(date: Date, format: string): string {
  const hour12 = date.getHours() % 12 || 12;
  const pad = (value: number, width = 2): string => String(value).padStart(width, '0');
  const month = MONTHS[date.getMonth()] ?? '';
  const day = DAYS[date.getDay()] ?? '';
  const newYear = new Date(date.getFullYear(), 0, 1);
  const dayOfYear = Math.round((new Date(date).setHours(0, 0, 0, 0) - newYear.getTime()) / 86_400_000) + 1;
  const fields: Readonly<Record<string, string>> = {
    Y: pad(date.getFullYear(), 4),
    y: pad(date.getFullYear() % 100),
    m: pad(date.getMonth() + 1),
    d: pad(date.getDate()),
    j: pad(dayOfYear, 3),
    B: month,
    b: month.slice(0, 3),
    A: day,
    a: day.slice(0, 3),
    H: pad(date.getHours()),
    I: pad(hour12),
    M: pad(date.getMinutes()),
    S: pad(date.getSeconds()),
    p: date.getHours() < 12 ? 'AM' : 'PM',
    '%': '%',
  };
  return format.replace(/%(.)/gsu, (directive, letter: string) => {
    const field = fields[letter];
    if (field === undefined)
      throw new TabmindError(
        'bad-template',
        `The chat template asks for the date as "${directive}", which is not known`,
        {
          remedy: 'Choose another model.',
        },
      );
    return field;
  });
}
