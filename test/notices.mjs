// Writes THIRD-PARTY-NOTICES.md from node_modules and the licences beside the shipped models.
// `--check` writes nothing and exits 1 when the file is not what would be written.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url));
const NOTICES = join(REPOSITORY, 'THIRD-PARTY-NOTICES.md');
/** Packages whose files are copied into the page although npm counts them as tools. */
const COPIED = ['lucide-static'];

const read = (...path) => readFileSync(join(REPOSITORY, ...path), 'utf8');
const quote = (text) => `\`\`\`text\n${text.trim()}\n\`\`\``;

/** Names of all packages that end up in the built page, sorted. */
function shippedPackages() {
  const shipped = new Set();
  const add = (name) => {
    if (shipped.has(name)) return;
    shipped.add(name);
    for (const dependency of Object.keys(manifest(name).dependencies ?? {})) add(dependency);
  };
  for (const name of [...Object.keys(JSON.parse(read('package.json')).dependencies), ...COPIED]) add(name);
  return [...shipped].sort();
}

const manifest = (name) => JSON.parse(read('node_modules', name, 'package.json'));

function packageSection(name) {
  const { version, license, repository } = manifest(name);
  const files = readdirSync(join(REPOSITORY, 'node_modules', name));
  const file = files.find((entry) => /^licen[cs]e(\.\w+)?$/i.test(entry));
  if (file === undefined)
    throw new Error(`${name} has no licence file: add its text to THIRD-PARTY-NOTICES.md by hand.`);
  const notice = files.find((entry) => /^notice(\.\w+)?$/i.test(entry));
  const address = (repository.url ?? repository).replace(/^git\+/, '').replace(/\.git$/, '');
  const text = read('node_modules', name, file);
  const parts = [`### ${name} ${version}`, `${license}, <${address}>`, licenceText(license, text)];
  if (notice !== undefined) parts.push(quote(read('node_modules', name, notice)));
  return parts.join('\n\n');
}

/** Apache's text is the one in LICENSE; what is the package's own are the lines that name its owners. */
function licenceText(license, text) {
  if (license !== 'Apache-2.0') return quote(text);
  const owners = text.match(/^ *copyright\s+(\(c\)\s*)?\d{4}.*$/gim) ?? [];
  const lines = owners.map((line) => line.trim());
  return ['Under the Apache License 2.0, whose text is in [LICENSE](LICENSE).', ...lines].join('\n');
}

/** Headings and quotes of a text that becomes part of a section. */
const demote = (text) => text.replace(/^# .*\n+/, '').trim();

/** The whole text of THIRD-PARTY-NOTICES.md. */
export function notices() {
  return `# Third-party notices

tabmind is licensed under the Apache License 2.0 (see [LICENSE](LICENSE)). It contains the works of others named here.
This file is written by \`node test/notices.mjs\`.

## In the page

${shippedPackages().map(packageSection).join('\n\n')}

## The starter model

\`public/models/starter\`, and \`test/fixtures/starter\` with its held-out text as token ids.

${demote(read('public/models/starter/LICENSE-NOTES.md'))}

## In the tests only

### stories260K

\`test/fixtures/models/stories260k\`: the model of <https://huggingface.co/karpathy/tinyllamas>, converted to Hugging Face format. MIT.

${quote(read('test/fixtures/models/stories260k/LICENSE'))}

### Other checkpoints below \`test/fixtures/models\`

Random numbers made for this project: no licence attaches to them.
`;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const text = notices();
  if (!process.argv.includes('--check')) {
    writeFileSync(NOTICES, text);
  } else if (readFileSync(NOTICES, 'utf8') !== text) {
    console.error('THIRD-PARTY-NOTICES.md is out of date: run `node test/notices.mjs`.');
    process.exitCode = 1;
  }
}
