import { parseArgs } from 'node:util';

/**
 * parseArgs that also takes `--browser-flags "--no-sandbox …"`: Node refuses a value that begins with a dash unless it
 * is joined by `=`.
 */
export function readArguments(options, args = process.argv.slice(2)) {
  const joined = [];
  for (let i = 0; i < args.length; i++) {
    if (args[i] === '--browser-flags' && i + 1 < args.length) joined.push(`--browser-flags=${args[++i]}`);
    else joined.push(args[i]);
  }
  return parseArgs({ args: joined, allowPositionals: true, options });
}

/** Load option from `--resident workgroups,threads,depth`, or from `--resident off`; nothing without it. */
export function residentOption(text) {
  if (text === undefined) return {};
  if (text === 'off') return { resident: null };
  const [workgroups, threads, depth] = text.split(',').map(Number);
  return { resident: { workgroups, threads, depth } };
}
