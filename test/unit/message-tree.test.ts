import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  deepestFrom,
  indexChildren,
  leafWithout,
  newestLeaf,
  pathTo,
  siblingsOf,
  subtreeOf,
  type TreeNode,
} from '../../web/state/message-tree';

/** `q1 → a1, a2; a1 → q2 → a3; a2 → q3`, and a second start `q4`. */
const nodes: readonly TreeNode[] = [
  { id: 'q1', parent: null, createdMs: 1 },
  { id: 'a1', parent: 'q1', createdMs: 2 },
  { id: 'q2', parent: 'a1', createdMs: 3 },
  { id: 'a3', parent: 'q2', createdMs: 4 },
  { id: 'a2', parent: 'q1', createdMs: 5 },
  { id: 'q3', parent: 'a2', createdMs: 6 },
  { id: 'q4', parent: null, createdMs: 7 },
];
const treeOf = (list: readonly TreeNode[]) => new Map(list.map((node) => [node.id, node]));
const tree = treeOf(nodes);
const children = indexChildren(tree);
const idsOf = (list: readonly TreeNode[]) => list.map(({ id }) => id);

describe('the tree of a conversation', () => {
  it('gives the branch that ends in a message', () => {
    expect(idsOf(pathTo(tree, 'a3'))).toEqual(['q1', 'a1', 'q2', 'a3']);
    expect(pathTo(tree, null)).toEqual([]);
    expect(pathTo(tree, 'nowhere')).toEqual([]);
  });

  it('knows the versions of a message, oldest first', () => {
    const a2 = tree.get('a2');
    const q4 = tree.get('q4');
    expect(a2 && idsOf(siblingsOf(tree, children, a2))).toEqual(['a1', 'a2']);
    expect(q4 && idsOf(siblingsOf(tree, children, q4))).toEqual(['q1', 'q4']);
  });

  it('follows the newest branch down', () => {
    expect(deepestFrom(children, 'q1')).toBe('q3');
    expect(deepestFrom(children, 'a1')).toBe('a3');
    expect(newestLeaf(children)).toBe('q4');
    expect(newestLeaf(indexChildren(new Map()))).toBeNull();
  });

  it('stands on the nearest version when one is deleted, else on the message before', () => {
    expect(leafWithout(tree, children, 'a2')).toBe('a3');
    expect(leafWithout(tree, children, 'a1')).toBe('q3');
    expect(leafWithout(tree, children, 'q2')).toBe('a1');
    expect(leafWithout(treeOf([{ id: 'q', parent: null, createdMs: 1 }]), new Map(), 'q')).toBeNull();
    expect(idsOf(subtreeOf(tree, children, 'a1'))).toEqual(['a1', 'q2', 'a3']);
  });

  it('keeps messages whose parent cannot be read within reach', () => {
    const orphaned = treeOf(nodes.filter(({ id }) => id !== 'q1'));
    const index = indexChildren(orphaned);
    expect(idsOf(index.get(null) ?? [])).toEqual(['a1', 'a2', 'q4']);
    expect(idsOf(pathTo(orphaned, 'a3'))).toEqual(['a1', 'q2', 'a3']);
  });

  it('ends where a record names itself as its parent', () => {
    const loop = treeOf([
      { id: 'a', parent: 'b', createdMs: 1 },
      { id: 'b', parent: 'a', createdMs: 2 },
    ]);
    expect(idsOf(pathTo(loop, 'a'))).toEqual(['b', 'a']);
  });

  it('never loses a message: every one is on the branch to its own end, and deleting leaves a branch that exists', () => {
    const trees = fc.array(fc.nat(), { minLength: 1, maxLength: 40 }).map((parents) =>
      treeOf(
        parents.map((parent, index) => ({
          id: `m${index}`,
          parent: index === 0 || parent % (index + 1) === index ? null : `m${parent % (index + 1)}`,
          createdMs: index,
        })),
      ),
    );
    fc.assert(
      fc.property(trees, fc.nat(), (random, pick) => {
        const index = indexChildren(random);
        for (const { id } of random.values()) {
          expect(idsOf(pathTo(random, deepestFrom(index, id)))).toContain(id);
        }
        const victim = `m${pick % random.size}`;
        const gone = new Set(idsOf(subtreeOf(random, index, victim)));
        const leaf = leafWithout(random, index, victim);
        if (leaf === null) expect(gone.size).toBe(random.size);
        else expect(gone.has(leaf)).toBe(false);
      }),
    );
  });
});
