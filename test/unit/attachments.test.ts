import { beforeEach, describe, expect, it, vi } from 'vitest';
import {
  attached,
  attachFiles,
  attachProblem,
  decodeText,
  detach,
  MAX_FILE_BYTES,
  MAX_FILES,
  takeAttached,
} from '../../web/state/attachments';
import { promptOf } from '../../web/state/chat-prompt';
import { openId } from '../../web/state/conversation';
import { fromRecord, toRecord } from '../../web/state/message-record';
import { questionText } from '../../web/state/question-text';
import { readMessage } from '../../web/storage/conversation-record';

vi.hoisted(() => vi.stubGlobal('navigator', { languages: ['en'] }));
vi.hoisted(() => vi.stubGlobal('addEventListener', () => undefined));

const file = (name: string, ...parts: BlobPart[]) => new File(parts, name);
const names = () => attached.value.map(({ name }) => name);

beforeEach(() => {
  takeAttached(openId.value);
});

describe('attached files', () => {
  it('wait for the next message of their chat, each name once', async () => {
    await attachFiles([file('a.txt', 'old'), file('b.md', 'bee')]);
    await attachFiles([file('a.txt', 'new')]);
    expect(attached.value).toEqual([
      { name: 'b.md', text: 'bee' },
      { name: 'a.txt', text: 'new' },
    ]);
    const first = openId.value;
    openId.value = 'another';
    expect(names()).toEqual([]);
    openId.value = first;
    detach('b.md');
    expect(takeAttached(first)).toEqual([{ name: 'a.txt', text: 'new' }]);
    expect(names()).toEqual([]);
  });

  it('are refused when they are no text, too large or too many, with their name', async () => {
    await attachFiles([file('photo.jpg', Uint8Array.from([0xff, 0xd8, 0, 1]))]);
    expect(attachProblem.value).toEqual({ kind: 'not-text', name: 'photo.jpg' });
    await attachFiles([file('big.log', 'x'.repeat(MAX_FILE_BYTES + 1))]);
    expect(attachProblem.value).toEqual({ kind: 'too-large', name: 'big.log' });
    expect(names()).toEqual([]);
    await attachFiles([file('full.log', 'x'.repeat(MAX_FILE_BYTES))]);
    expect(attachProblem.value).toBeNull();
    await attachFiles(Array.from({ length: MAX_FILES }, (_, i) => file(`${i}.txt`, 'x')));
    expect(attachProblem.value).toEqual({ kind: 'too-many', name: `${MAX_FILES - 1}.txt` });
    expect(names()).toHaveLength(MAX_FILES);
  });

  it('are read in the encodings that text files have', () => {
    expect(decodeText(new TextEncoder().encode('\uFEFFplain 中文'))).toBe('plain 中文');
    expect(decodeText(Uint8Array.from([0xff, 0xfe, 0x2d, 0x4e]))).toBe('中');
    expect(decodeText(Uint8Array.from([0xfe, 0xff, 0x4e, 0x2d]))).toBe('中');
    expect(decodeText(Uint8Array.from([0xd6, 0xd0, 0xce, 0xc4]))).toBe('中文');
    expect(decodeText(Uint8Array.from([0x41, 0xff, 0xff]))).toBeNull();
    expect(decodeText(new Uint8Array())).toBe('');
  });
});

describe('a question with files', () => {
  const place = { id: 'q', parent: null, createdMs: 1 };
  const question = {
    ...place,
    role: 'user',
    text: 'Why?',
    files: [{ name: 'a.md', text: 'text\n' }],
  } as const;

  it('shows the model each file in a fence that nothing in it closes', () => {
    expect(questionText('Why?')).toBe('Why?');
    expect(questionText('Why?', question.files)).toBe('a.md\n```\ntext\n```\n\nWhy?');
    const tricky = questionText('Why?', [{ name: 'a\nb', text: 'has ```` in it' }]);
    expect(tricky).toBe('a b\n`````\nhas ```` in it\n`````\n\nWhy?');
    expect(promptOf('', [question], false)).toEqual([
      { role: 'user', content: questionText('Why?', question.files) },
    ]);
  });

  it('is stored with them, and without the field where there are none', () => {
    const record = toRecord('c', question);
    expect(readMessage(structuredClone(record))).toEqual(record);
    expect(fromRecord(record, () => false)).toEqual(question);
    const { files: _, ...plain } = question;
    expect(toRecord('c', plain)).not.toHaveProperty('files');
    expect(readMessage({ ...record, files: [{ name: 1 }] })).toBeNull();
  });
});
