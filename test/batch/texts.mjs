// The part of the batch check that speaks in texts: several answers to one prompt, what a chat request may ask for, and
// answers that go on.

/** `call`: a function of the page by its name; `report`: takes a name, failures, and a note. */
export async function checkTexts(name, { call, report }) {
  for (const check of [checkAnswers, checkWishes, checkContinued]) await check(name, call, report);
}

async function checkAnswers(name, call, report) {
  const [one] = await call('answers', 'Tell me about the sea.', 1, 16);
  const three = await call('answers', 'Tell me about the sea.', 3, 16);
  const failures = three.flatMap((text, i) => (text === one ? [] : [`answer ${i}: ${text}, not ${one}`]));
  report(`${name}: three greedy answers to one prompt are the same`, failures);
  const drawn = await call('answers', 'Tell me about the sea.', 3, 12, 5);
  const words = [];
  for (const [i, text] of drawn.entries()) {
    const [own] = await call('answers', 'Tell me about the sea.', 1, 12, 5 + i);
    if (text !== own) words.push(`answer ${i}: ${text}, not ${own}`);
  }
  if (new Set(drawn).size === 1) words.push('all three are the same');
  report(`${name}: three drawn answers are those of their seeds`, words);
}

/** What a chat asks for beside its messages must reach the logits: each wish changes the greedy answer as it says. */
async function checkWishes(name, call, report) {
  const question = 'Once upon a time';
  const base = { repetition_penalty: 1, ignore_eos: true, max_tokens: 32 };
  const say = (wishes) => call('said', question, { ...base, ...wishes });
  const plain = await say({});
  const [first] = await call('answerIds', question);
  const failures = [];
  const changing = [
    { repetition_penalty: 1.8 },
    { frequency_penalty: 2 },
    { presence_penalty: 2 },
    { logit_bias: { [first]: -100 } },
  ];
  for (const wish of changing) {
    const { text } = await say(wish);
    if (text === plain.text) failures.push(`${JSON.stringify(wish)} changes nothing: ${text}`);
  }
  const word = /\p{L}{5,}/u.exec(plain.text)?.[0] ?? plain.text;
  const without = await say({ bad_words: [word] });
  if (without.text.includes(word)) failures.push(`without ${word}: ${without.text}`);
  const stopping = { stop_token_ids: [first] };
  const [stopped, kept] = [await say(stopping), await say({ ...stopping, min_tokens: 5 })];
  if (stopped.numTokens !== 1 || kept.numTokens < 6)
    failures.push(`a stop id ended ${stopped.numTokens} and ${kept.numTokens} tokens`);
  report(`${name}: wishes of a chat change its answer`, failures, `"${plain.text}", "${without.text}"`);
}

/** An answer that is cut and goes on must be the one that was not cut. */
async function checkContinued(name, call, report) {
  const wishes = { repetition_penalty: 1, ignore_eos: true };
  const question = { role: 'user', content: 'Once upon a time' };
  const say = (messages, more) => call('said', '', { ...wishes, messages, ...more });
  const whole = await say([question], { max_tokens: 24 });
  const start = await say([question], { max_tokens: 9 });
  const answer = { role: 'assistant', content: start.text };
  const rest = await say([question, answer], { max_tokens: 15, continue_final_message: true });
  const text = start.text + rest.text;
  const failures = text === whole.text ? [] : [`"${text}", not "${whole.text}"`];
  report(`${name}: an answer goes on where it was cut`, failures, `"${start.text}|${rest.text}"`);
}
