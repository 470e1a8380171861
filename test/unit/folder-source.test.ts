import { describe, expect, it } from 'vitest';
import type { FolderModel } from '../../src/model-ref';
import { createFolderSource } from '../../src/weights/folder-source';

const file = (name: string, text: string, lastModified = 1) => new File([text], name, { lastModified });
const open = (files: FolderModel['files']) => createFolderSource({ kind: 'folder', id: 'mine', files });

/** What a directory picker gives, as far as it is used. */
function directory(files: readonly File[]): FileSystemDirectoryHandle {
  const byName = new Map(files.map((one) => [one.name, one]));
  const handle = {
    kind: 'directory',
    name: 'mine',
    getFileHandle: async (name: string) => {
      const found = byName.get(name);
      if (!found)
        throw new DOMException('no such file', name === 'sub' ? 'TypeMismatchError' : 'NotFoundError');
      return { getFile: async () => found };
    },
    async *entries() {
      for (const name of byName.keys()) yield [name, { kind: 'file' }];
      yield ['sub', { kind: 'directory' }];
    },
  };
  return handle as unknown as FileSystemDirectoryHandle;
}

const FILES = [file('config.json', '{}'), file('model.safetensors', '0123456789')];
const KINDS: Readonly<Record<string, FolderModel['files']>> = {
  'a directory handle': directory(FILES),
  'a list of files': FILES,
  'files with paths': FILES.map((one) => ({ path: `my model/${one.name}`, file: one })),
  'files below other folders': [
    ...FILES.map((one) => ({ path: `/top/my model/${one.name}`, file: one })),
    { path: '/top/my model/old/config.json', file: file('config.json', 'wrong') },
    { path: '/top/README.md', file: file('README.md', 'read me') },
  ],
};

describe.each(Object.entries(KINDS))('%s', (_, files) => {
  it('is read like any other source', async () => {
    const source = open(files);
    expect(await source.readText('config.json')).toBe('{}');
    expect(await source.tryReadText('tokenizer.json')).toBeNull();
    expect(await source.size('model.safetensors')).toBe(10);
    expect(await source.size('sub')).toBeNull();
    expect(await source.size('README.md')).toBeNull();
    expect(new TextDecoder().decode(await source.readRange('model.safetensors', 3, 6))).toBe('345');
    expect((await source.list?.())?.toSorted()).toEqual(['config.json', 'model.safetensors']);
  });

  it('says what is missing, and what is too short', async () => {
    const source = open(files);
    await expect(source.readText('tokenizer.json')).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringContaining('tokenizer.json'),
    });
    await expect(source.readRange('model.safetensors', 5, 11)).rejects.toMatchObject({
      code: 'bad-checkpoint',
    });
    await expect(source.readRange('nothing.safetensors', 0, 1)).rejects.toMatchObject({
      code: 'bad-checkpoint',
    });
  });
});

describe('createFolderSource', () => {
  it('has a version that changes with the files that make the model', async () => {
    const version = await open(FILES).version();
    expect(await open([...FILES].reverse()).version()).toBe(version);
    expect(await open([...FILES, file('README.md', 'x')]).version()).toBe(version);
    expect(await open([FILES[0] as File, file('model.safetensors', '0123456789', 2)]).version()).not.toBe(
      version,
    );
    expect(await open([FILES[0] as File, file('model.safetensors', '01234567890')]).version()).not.toBe(
      version,
    );
  });

  it('has no version without its config.json, as a list of files after a reload', async () => {
    for (const files of [[], [FILES[1] as File]])
      await expect(open(files).version()).rejects.toMatchObject({
        code: 'not-found',
        message: expect.stringContaining('config.json'),
      });
  });

  it('asks for the folder again when it may no longer be read, or has changed', async () => {
    const fails = (name: string) =>
      ({
        kind: 'directory',
        name: 'mine',
        getFileHandle: async () => {
          throw new DOMException('denied', name);
        },
      }) as unknown as FileSystemDirectoryHandle;
    await expect(open(fails('NotAllowedError')).readText('config.json')).rejects.toMatchObject({
      code: 'not-found',
      meaning: expect.stringContaining('no longer lets'),
      remedy: 'Choose the folder again.',
    });
    const changed = Object.assign(file('config.json', '{}'), {
      text: () => Promise.reject(new DOMException('changed', 'NotReadableError')),
    });
    await expect(open([changed]).readText('config.json')).rejects.toMatchObject({
      code: 'not-found',
      meaning: expect.stringContaining('changed'),
    });
  });

  it('stops when told to', async () => {
    const stop = AbortSignal.abort(new Error('enough'));
    await expect(open(FILES).readText('config.json', stop)).rejects.toThrow('enough');
  });
});
