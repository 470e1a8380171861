import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BlockAllocator, type BlockTable } from '../../src/kvcache/block-allocator';

function allocate(allocator: BlockAllocator, numTokens: number): BlockTable {
  const table = allocator.allocate(numTokens);
  if (table === null) throw new Error(`no room for ${numTokens} tokens`);
  return table;
}

describe('BlockAllocator', () => {
  it('takes the blocks that the tokens need, and no part of them when too few are free', () => {
    const allocator = new BlockAllocator(4, 16);
    const table = allocate(allocator, 33);
    expect(table.blockIds).toHaveLength(3);
    expect(allocator.numUsed).toBe(3);
    expect(allocator.allocate(17)).toBeNull();
    expect(allocator.append(table, 65)).toBe(false);
    expect(allocator.numFree).toBe(1);
    expect(allocator.append(table, 48)).toBe(true);
    expect(table.blockIds).toHaveLength(3);
    expect(allocator.append(table, 49)).toBe(true);
    expect(table.blockIds).toHaveLength(4);
    expect(allocator.numFree).toBe(0);
    allocator.checkIntegrity();
  });

  it('hands out the block freed longest ago first', () => {
    const allocator = new BlockAllocator(3, 1);
    const [a, b, c] = [allocate(allocator, 1), allocate(allocator, 1), allocate(allocator, 1)];
    for (const table of [b, a, c]) allocator.free(table);
    expect(allocate(allocator, 3).blockIds).toEqual([...b.blockIds, ...a.blockIds, ...c.blockIds]);
  });

  it('frees the end of a sequence before its start', () => {
    const allocator = new BlockAllocator(3, 4);
    const table = allocate(allocator, 12);
    const blockIds = [...table.blockIds];
    allocator.free(table);
    expect(allocate(allocator, 12).blockIds).toEqual(blockIds.toReversed());
  });

  it('shares only full blocks in a fork, and frees them with the last holder', () => {
    const allocator = new BlockAllocator(8, 4);
    const table = allocate(allocator, 11);
    const forked = allocator.fork(table, 11);
    expect(forked.blockIds).toEqual(table.blockIds.slice(0, 2));
    expect(allocator.numUsed).toBe(3);
    expect(allocator.append(forked, 11)).toBe(true);
    expect(forked.blockIds[2]).not.toBe(table.blockIds[2]);
    allocator.checkIntegrity();
    allocator.free(table);
    allocator.checkIntegrity();
    expect(allocator.numUsed).toBe(3);
    allocator.free(forked);
    allocator.checkIntegrity();
    expect(allocator.numUsed).toBe(0);
  });

  it('refuses a table that was freed, and a fork past the end', () => {
    const allocator = new BlockAllocator(4, 4);
    const table = allocate(allocator, 4);
    expect(() => allocator.fork(table, 8)).toThrow(/fork at 8 tokens/);
    allocator.free(table);
    expect(() => allocator.free(table)).toThrow(/after it was freed/);
    expect(() => allocator.append(table, 8)).toThrow(/after it was freed/);
    allocator.checkIntegrity();
  });

  it('notices a table that was changed behind its back', () => {
    const allocator = new BlockAllocator(4, 4);
    const [one, two] = [allocate(allocator, 4), allocate(allocator, 4)];
    const blockIds = one.blockIds as number[];
    blockIds[0] = two.blockIds[0] ?? -1;
    expect(() => allocator.checkIntegrity()).toThrow(expect.objectContaining({ code: 'internal' }));
    blockIds[0] = 99;
    expect(() => allocator.checkIntegrity()).toThrow(/holds block 99/);
  });

  it.each([
    [0, 16],
    [1.5, 16],
    [4, 0],
    [4, 12],
  ])('refuses a pool of %d blocks of %d tokens', (numBlocks, blockTokens) => {
    expect(() => new BlockAllocator(numBlocks, blockTokens)).toThrow(
      expect.objectContaining({ code: 'bad-request' }),
    );
  });

  it('stays sound and never lets two tables write the same block, whatever is asked of it', () => {
    const action = fc.record({
      kind: fc.constantFrom('allocate', 'append', 'fork', 'free'),
      pick: fc.nat(),
      numTokens: fc.integer({ min: 0, max: 40 }),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.array(action, { maxLength: 60 }),
        (numBlocks, actions) => {
          const allocator = new BlockAllocator(numBlocks, 4);
          /** Live tables and how many of their leading blocks a fork may share. */
          const tables: { table: BlockTable; numShared: number }[] = [];
          for (const { kind, pick, numTokens } of actions) {
            const picked = tables[pick % Math.max(1, tables.length)];
            const numFree = allocator.numFree;
            if (kind === 'allocate') {
              const table = allocator.allocate(numTokens);
              expect(table !== null).toBe(Math.ceil(numTokens / 4) <= numFree);
              if (table !== null) tables.push({ table, numShared: 0 });
            } else if (picked !== undefined && kind === 'append') {
              const numMissing = Math.max(0, Math.ceil(numTokens / 4) - picked.table.blockIds.length);
              expect(allocator.append(picked.table, numTokens)).toBe(numMissing <= numFree);
            } else if (picked !== undefined && kind === 'fork') {
              const numForked = Math.min(numTokens, picked.table.blockIds.length * 4);
              const numShared = Math.floor(numForked / 4);
              tables.push({ table: allocator.fork(picked.table, numForked), numShared });
              picked.numShared = Math.max(picked.numShared, numShared);
            } else if (picked !== undefined) {
              allocator.free(picked.table);
              tables.splice(tables.indexOf(picked), 1);
            }
            allocator.checkIntegrity();
            const writable = tables.flatMap(({ table, numShared }) => table.blockIds.slice(numShared));
            expect(new Set(writable).size).toBe(writable.length);
          }
          for (const { table } of tables) allocator.free(table);
          allocator.checkIntegrity();
          expect(allocator.numFree).toBe(numBlocks);
        },
      ),
    );
  });
});
