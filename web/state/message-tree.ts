/** What every message of a conversation has: its place in the tree of branches. */
export interface TreeNode {
  readonly id: string;
  /** The message it answers or follows; null at the start. */
  readonly parent: string | null;
  readonly createdMs: number;
}

export type Tree<Node extends TreeNode> = ReadonlyMap<string, Node>;

/** Parent → its children, oldest first. */
export type Children<Node extends TreeNode> = ReadonlyMap<string | null, readonly Node[]>;

/** null at the start, and where the parent is missing. */
const parentIn = <Node extends TreeNode>(tree: Tree<Node>, { parent }: Node): string | null =>
  parent !== null && tree.has(parent) ? parent : null;

/** A child whose parent is missing (a record that could not be read) counts as a start, so that nothing is out of reach. */
export function indexChildren<Node extends TreeNode>(tree: Tree<Node>): Children<Node> {
  const children = new Map<string | null, Node[]>();
  const ordered = [...tree.values()].sort(
    (one, other) => one.createdMs - other.createdMs || (one.id < other.id ? -1 : 1),
  );
  for (const node of ordered) {
    const parent = parentIn(tree, node);
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [node]);
    else siblings.push(node);
  }
  return children;
}

/** From the start of the conversation to `leaf`; empty when `leaf` is not in the tree. */
export function pathTo<Node extends TreeNode>(tree: Tree<Node>, leaf: string | null): readonly Node[] {
  const path: Node[] = [];
  const seen = new Set<string>();
  let node = leaf === null ? undefined : tree.get(leaf);
  // a record edited by hand may name itself as its own parent
  while (node !== undefined && !seen.has(node.id)) {
    seen.add(node.id);
    path.push(node);
    node = node.parent === null ? undefined : tree.get(node.parent);
  }
  return path.reverse();
}

/** The end of the newest branch through `id`. */
export function deepestFrom<Node extends TreeNode>(children: Children<Node>, id: string): string {
  let deepest = id;
  for (let next = children.get(id)?.at(-1); next !== undefined; next = children.get(next.id)?.at(-1)) {
    deepest = next.id;
  }
  return deepest;
}

/** `id` and everything below it. */
export function subtreeOf<Node extends TreeNode>(
  tree: Tree<Node>,
  children: Children<Node>,
  id: string,
): readonly Node[] {
  const root = tree.get(id);
  if (root === undefined) return [];
  const found = [root];
  for (let next = 0; next < found.length; next++) found.push(...(children.get(found[next]?.id ?? '') ?? []));
  return found;
}

/** Messages that stand at the same place as `node`, itself among them, oldest first. */
export function siblingsOf<Node extends TreeNode>(
  tree: Tree<Node>,
  children: Children<Node>,
  node: Node,
): readonly Node[] {
  return children.get(parentIn(tree, node)) ?? [];
}

/** Where the reader stands when the subtree at `id` is gone: on the nearest sibling's branch, else on the parent. */
export function leafWithout<Node extends TreeNode>(
  tree: Tree<Node>,
  children: Children<Node>,
  id: string,
): string | null {
  const node = tree.get(id);
  if (node === undefined) return null;
  const siblings = siblingsOf(tree, children, node);
  const at = siblings.findIndex((sibling) => sibling.id === id);
  const next = siblings[at - 1] ?? siblings[at + 1];
  if (next !== undefined) return deepestFrom(children, next.id);
  return parentIn(tree, node);
}

/** The end of the newest branch of the whole tree; null when it is empty. */
export function newestLeaf<Node extends TreeNode>(children: Children<Node>): string | null {
  const start = children.get(null)?.at(-1);
  return start === undefined ? null : deepestFrom(children, start.id);
}
