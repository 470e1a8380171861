import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.webmanifest': 'application/manifest+json; charset=utf-8',
  '.wasm': 'application/wasm',
  '.wgsl': 'text/wgsl; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.md': 'text/markdown; charset=utf-8',
  '.jinja': 'text/plain; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.webp': 'image/webp',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
};

/** Node.js reads 64 KiB at a time by default, which halves the speed of a model on its way to the browser. */
const READ_BYTES = 2 ** 20;

/** Both loopback addresses: "localhost" may mean either, and another program may hold the same port on one of them. */
const LOOPBACKS = ['127.0.0.1', '::1'];
const NO_IPV6 = ['EADDRNOTAVAIL', 'EAFNOSUPPORT'];

/**
 * Serves folders on this computer only (127.0.0.1 and ::1), with byte ranges, ETags and no fallback page.
 *
 * @param {object} options
 * @param {string} [options.root] folder served at `/`
 * @param {Readonly<Record<string, string>>} [options.roots] more folders, URL prefix → folder; the longest prefix wins
 * @param {Readonly<Record<string, string>>} [options.pageHeaders] sent with HTML files
 * @param {number} [options.port] 0 (default) = any free one. A busy port throws the system's error, code EADDRINUSE.
 * @returns {Promise<{ readonly url: string; readonly port: number; readonly close: () => Promise<void> }>}
 *   `url` ends with a slash.
 */
export async function serve({ root, roots = {}, pageHeaders = {}, port = 0 }) {
  const folders = Object.entries({ ...(root === undefined ? {} : { '/': root }), ...roots })
    .map(([prefix, folder]) => ({ prefix: `/${prefix}/`.replace(/\/+/g, '/'), folder: resolve(folder) }))
    .sort((a, b) => b.prefix.length - a.prefix.length);
  if (folders.length === 0) throw new Error('serve() needs a root or at least one entry in roots.');
  const handle = (request, response) => {
    answer(folders, pageHeaders, request, response).catch((error) => {
      // A client that goes away in the middle of a file is no fault of the server.
      if (error.code === 'ERR_STREAM_PREMATURE_CLOSE') return;
      console.error(`serve: ${request.method} ${request.url}: ${error.stack}`);
      if (response.headersSent) response.destroy();
      else send(response, 500, {}, 'Internal error');
    });
  };
  const servers = await listen(handle, port);
  const bound = servers[0].address().port;
  const close = async () => {
    await Promise.all(servers.map(stop));
  };
  return { url: `http://localhost:${bound}/`, port: bound, close };
}

async function listen(handle, port, numTries = 5) {
  const servers = [];
  try {
    for (const host of LOOPBACKS) {
      const server = await listenOn(handle, host, servers[0]?.address().port ?? port);
      if (server !== undefined) servers.push(server);
    }
    return servers;
  } catch (error) {
    await Promise.all(servers.map(stop));
    // The port that was free on one address was taken on the other: with port 0 there are others to draw.
    if (port === 0 && error.code === 'EADDRINUSE' && numTries > 1) return listen(handle, port, numTries - 1);
    throw error;
  }
}

/** Undefined where the computer has no IPv6. */
function listenOn(handle, host, port) {
  const server = createServer(handle);
  return new Promise((done, fail) => {
    server.once('error', (error) => {
      if (host === '::1' && NO_IPV6.includes(error.code)) done(undefined);
      else fail(error);
    });
    server.listen(port, host, () => done(server));
  });
}

function stop(server) {
  return new Promise((done, fail) => {
    server.close((error) => (error ? fail(error) : done()));
    server.closeAllConnections();
  });
}

async function answer(folders, pageHeaders, request, response) {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return send(response, 405, { Allow: 'GET, HEAD' }, 'Only GET and HEAD');
  }
  const [path, query] = request.url.split('?', 2);
  const found = await find(folders, path);
  if (found === 'directory') {
    // Relative links of a folder's page are right only below its slash.
    return send(response, 301, { Location: `${path}/${query === undefined ? '' : `?${query}`}` }, 'Moved');
  }
  if (found === undefined) return send(response, 404, {}, 'Not found');
  const { file, sizeBytes, etag } = found;
  const headers = {
    'Content-Type': TYPES[extname(file).toLowerCase()] ?? 'application/octet-stream',
    'Accept-Ranges': 'bytes',
    'Cache-Control': 'no-cache',
    'X-Content-Type-Options': 'nosniff',
    ETag: etag,
    ...(extname(file) === '.html' ? pageHeaders : {}),
  };
  if (matches(request.headers['if-none-match'], etag)) return send(response, 304, headers);
  const condition = request.headers['if-range'];
  const wantsRange = condition === undefined || condition === etag;
  const range = wantsRange ? parseRange(request.headers.range, sizeBytes) : undefined;
  if (range === 'unsatisfiable') {
    return send(response, 416, { 'Content-Range': `bytes */${sizeBytes}` }, 'Range not satisfiable');
  }
  const { start, end } = range ?? { start: 0, end: sizeBytes - 1 };
  if (range !== undefined) headers['Content-Range'] = `bytes ${start}-${end}/${sizeBytes}`;
  headers['Content-Length'] = end - start + 1;
  response.writeHead(range === undefined ? 200 : 206, headers);
  if (request.method === 'HEAD' || sizeBytes === 0) return response.end();
  await pipeline(createReadStream(file, { start, end, highWaterMark: READ_BYTES }), response);
}

/**
 * The file behind a URL path; 'directory' for a folder that was asked for without its slash; undefined for everything
 * that is not served: missing files, dot files, and any way out of the folder. Symbolic links are followed, because
 * downloaded checkpoints are often made of them.
 */
async function find(folders, path) {
  const decoded = decode(path);
  if (decoded === undefined) return undefined;
  const mount = folders.find(({ prefix }) => decoded.startsWith(prefix));
  if (mount === undefined) return undefined;
  const rest = decoded.slice(mount.prefix.length);
  if (rest.split('/').some((segment) => segment.startsWith('.'))) return undefined;
  const asked = join(mount.folder, rest === '' || rest.endsWith('/') ? `${rest}index.html` : rest);
  const info = await stat(asked).catch((error) => {
    if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes(error.code)) return undefined;
    throw error;
  });
  if (info?.isDirectory()) return 'directory';
  if (!info?.isFile()) return undefined;
  const etag = `"${info.size.toString(16)}-${Math.floor(info.mtimeMs * 1000).toString(16)}"`;
  return { file: asked, sizeBytes: info.size, etag };
}

/** Undefined for paths that are malformed, or that a file system could read differently than a URL does. */
function decode(path) {
  try {
    const decoded = decodeURIComponent(path);
    return /[\\\0]/.test(decoded) ? undefined : decoded;
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

function matches(ifNoneMatch, etag) {
  if (ifNoneMatch === undefined) return false;
  const tags = ifNoneMatch.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes(etag) || tags.includes('*');
}

/** One byte range. Malformed and multiple ranges are ignored (the whole file is sent), as RFC 9110 allows. */
function parseRange(header, sizeBytes) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (match === null) return undefined;
  const [, first, last] = match;
  if (first === '' && last === '') return undefined;
  if (first === '') {
    const length = Math.min(Number(last), sizeBytes);
    return length === 0 ? 'unsatisfiable' : { start: sizeBytes - length, end: sizeBytes - 1 };
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) return undefined;
  if (start >= sizeBytes) return 'unsatisfiable';
  return { start, end: last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1) };
}

function send(response, status, headers, text) {
  const body = text === undefined ? {} : { 'Content-Type': 'text/plain; charset=utf-8' };
  response.writeHead(status, { ...headers, ...body });
  response.end(text);
}
