/**
 * Which modules share a file: what both pages need from their start, and what the chat alone needs from its start. Left to
 * itself the bundler makes a dozen small files of them, as every lazy part shares something else, and small files compress
 * badly.
 */
export function chunkOf(chatEntry, benchEntry) {
  let closures;
  return (id, graph) => {
    closures ??= [chatEntry, benchEntry].map((entry) => staticImports(entry, graph));
    const [chat, bench] = closures;
    if (!chat.has(id)) return null;
    return bench.has(id) ? 'base' : 'chat';
  };
}

/** All modules that `entry` cannot run without, itself excepted. */
function staticImports(entry, graph) {
  const found = new Set();
  const visit = (id) => {
    for (const imported of graph.getModuleInfo(id)?.importedIds ?? []) {
      if (found.has(imported)) continue;
      found.add(imported);
      visit(imported);
    }
  };
  visit(entry);
  return found;
}
