import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BlockAllocator, type BlockTable, type SharedTable } from '../../src/kvcache/block-allocator';

function allocate(allocator: BlockAllocator, numTokens: number): BlockTable {
  const table = allocator.allocate(numTokens);
  if (table === null) throw new Error(`no room for ${numTokens} tokens`);
  return table;
}

function share(allocator: BlockAllocator, tokenIds: readonly number[], maxHitTokens: number): SharedTable {
  const shared = allocator.allocateShared(tokenIds, maxHitTokens);
  if (shared === null) throw new Error(`no room for ${tokenIds.length} tokens`);
  return shared;
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

  it('shares full blocks, asks for a copy of a partial one, and frees them with the last holder', () => {
    const allocator = new BlockAllocator(8, 4);
    const tokenIds = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
    const table = allocate(allocator, 11);
    allocator.publish(table, tokenIds, 11);
    const shared = share(allocator, [...tokenIds, 12, 13], 12);
    expect(shared.table.blockIds.slice(0, 2)).toEqual(table.blockIds.slice(0, 2));
    expect(shared.numHitTokens).toBe(11);
    expect(shared.copy).toEqual({ from: table.blockIds[2], to: shared.table.blockIds[2] });
    expect(shared.table.blockIds[2]).not.toBe(table.blockIds[2]);
    expect(allocator.numUsed).toBe(5);
    allocator.checkIntegrity();
    allocator.free(table);
    allocator.checkIntegrity();
    expect(allocator.numUsed).toBe(4);
    expect(allocator.numCached).toBe(1);
    allocator.free(shared.table);
    allocator.checkIntegrity();
    expect(allocator.numUsed).toBe(0);
    expect(allocator.numCached).toBe(3);
  });

  it('finds what freed blocks hold until they are reused, the end of a sequence first', () => {
    const allocator = new BlockAllocator(4, 4);
    const tokenIds = Array.from({ length: 12 }, (_, i) => i);
    const table = allocate(allocator, 12);
    allocator.publish(table, tokenIds, 12);
    allocator.free(table);
    const hits = [4, 4, 4].map((numTokens) => {
      allocate(allocator, numTokens);
      const { table: again, numHitTokens } = share(allocator, tokenIds.slice(0, 4), 4);
      allocator.free(again);
      allocator.checkIntegrity();
      return numHitTokens;
    });
    expect(hits).toEqual([4, 4, 4]);
    expect(allocator.numFree).toBe(1);
    allocate(allocator, 4);
    expect(allocator.numCached).toBe(0);
  });

  it('hits no more tokens than it may, and copies what is left of a full block', () => {
    const allocator = new BlockAllocator(4, 4);
    const table = allocate(allocator, 8);
    allocator.publish(table, [1, 2, 3, 4, 5, 6, 7, 8], 8);
    const shared = share(allocator, [1, 2, 3, 4, 5, 6, 7, 8], 7);
    expect(shared.numHitTokens).toBe(7);
    expect(shared.copy?.from).toBe(table.blockIds[1]);
    expect(share(allocator, [9], 1)).toMatchObject({ numHitTokens: 0, copy: null });
  });

  it('takes over a free block that begins with what is wanted, with no copy', () => {
    const allocator = new BlockAllocator(1, 4);
    const table = allocate(allocator, 3);
    allocator.publish(table, [1, 2, 3], 3);
    allocator.free(table);
    expect(share(allocator, [1, 2, 9], 2)).toMatchObject({ numHitTokens: 2, copy: null });
    allocator.checkIntegrity();
  });

  it('knows nothing any more after forget', () => {
    const allocator = new BlockAllocator(8, 4);
    const [kept, freed] = [allocate(allocator, 4), allocate(allocator, 4)];
    allocator.publish(kept, [1, 2, 3, 4], 4);
    allocator.publish(freed, [5, 6, 7, 8], 4);
    allocator.free(freed);
    allocator.forget();
    allocator.checkIntegrity();
    for (const first of [1, 5])
      expect(share(allocator, [first, first + 1, first + 2, first + 3, 9], 4).numHitTokens).toBe(0);
  });

  it('refuses a table that was freed, and to publish past the end', () => {
    const allocator = new BlockAllocator(4, 4);
    const table = allocate(allocator, 4);
    expect(() => allocator.publish(table, [1, 2, 3, 4, 5], 5)).toThrow(/5 tokens of a table of 1 blocks/);
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

  it('stays sound, never lets two tables write the same block, and finds only what is there', () => {
    const action = fc.record({
      kind: fc.constantFrom('share', 'append', 'publish', 'free', 'forget'),
      pick: fc.nat(),
      tokenIds: fc.array(fc.nat({ max: 1 }), { minLength: 1, maxLength: 20 }),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.array(action, { maxLength: 80 }),
        (numBlocks, actions) => {
          const allocator = new BlockAllocator(numBlocks, 4);
          const memory = new Int32Array(numBlocks * 4).fill(-1);
          const tables: { table: BlockTable; tokenIds: number[]; numShared: number }[] = [];
          const write = (table: BlockTable, tokenIds: readonly number[], from: number) => {
            for (let i = from; i < tokenIds.length; i++)
              memory[(table.blockIds[Math.floor(i / 4)] ?? -1) * 4 + (i % 4)] = tokenIds[i] ?? -1;
          };
          for (const { kind, pick, tokenIds } of actions) {
            const picked = tables[pick % Math.max(1, tables.length)];
            if (kind === 'share') {
              const { numFree } = allocator;
              const shared = allocator.allocateShared(tokenIds, tokenIds.length);
              if (shared === null) {
                expect(Math.ceil(tokenIds.length / 4)).toBeGreaterThan(numFree);
                continue;
              }
              const { table, copy, numHitTokens } = shared;
              if (copy) memory.copyWithin(copy.to * 4, copy.from * 4, copy.from * 4 + 4);
              write(table, tokenIds, numHitTokens);
              tables.push({ table, tokenIds, numShared: Math.floor(numHitTokens / 4) });
            } else if (picked !== undefined && kind === 'append') {
              const longer = [...picked.tokenIds, ...tokenIds];
              const numMissing = Math.ceil(longer.length / 4) - picked.table.blockIds.length;
              const { numFree } = allocator;
              expect(allocator.append(picked.table, longer.length)).toBe(numMissing <= numFree);
              if (numMissing > numFree) continue;
              write(picked.table, longer, picked.tokenIds.length);
              picked.tokenIds = longer;
            } else if (picked !== undefined && kind === 'publish') {
              allocator.publish(picked.table, picked.tokenIds, picked.tokenIds.length);
            } else if (picked !== undefined && kind === 'free') {
              allocator.free(picked.table);
              tables.splice(tables.indexOf(picked), 1);
            } else if (kind === 'forget') {
              allocator.forget();
            }
            allocator.checkIntegrity();
            for (const { table, tokenIds: held } of tables) {
              const read = held.map(
                (_, i) => memory[(table.blockIds[Math.floor(i / 4)] ?? -1) * 4 + (i % 4)],
              );
              expect(read).toEqual(held);
            }
            const own = tables.flatMap(({ table, numShared }) => table.blockIds.slice(numShared));
            expect(new Set(own).size).toBe(own.length);
          }
          for (const { table } of tables) allocator.free(table);
          allocator.checkIntegrity();
          expect(allocator.numFree).toBe(numBlocks);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
