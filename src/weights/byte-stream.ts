import type { BufferPool } from './buffer-pool';

type Bytes = Uint8Array<ArrayBuffer>;
type ByteStream = ReadableStream<Bytes>;
/** Reads into the buffer that it is given and hands that back as another object; null at the end. */
type DirectRead = (into: Bytes) => Promise<Bytes | null>;

/** Chromium collects a stream to which only a pending read refers, and that read then never ends. */
const beingRead = new Set<unknown>();

/**
 * The pieces of a stream, each valid until the next is asked for: they lie in one buffer from `pool` where the browser can
 * write into it, so that nothing is left for the collector.
 */
export async function* streamPieces(
  stream: ByteStream,
  pool: BufferPool,
  pieceBytes: number,
): AsyncGenerator<Bytes, void, undefined> {
  const direct = directReader(stream);
  if (!direct) return yield* ownPieces(stream);
  const held = [stream, direct];
  beingRead.add(held);
  let scratch = pool.take(pieceBytes);
  try {
    const read = directRead(direct);
    for (let piece = await read(scratch); piece; piece = await read(scratch)) {
      scratch = new Uint8Array(piece.buffer);
      yield piece;
    }
  } finally {
    beingRead.delete(held);
    pool.give(scratch);
    // frees the connection when the consumer turned away early; after the end, or a failure, there is nothing to free
    await direct.cancel().catch(() => undefined);
  }
}

/**
 * All of a blob in a buffer from `pool`, where the browser can write into it: `blob.arrayBuffer()` makes a new one each
 * time. Rejects when the blob cannot be read, or not all of it.
 */
export async function readBlob(blob: Blob, pool: BufferPool): Promise<Bytes> {
  const stream = blob.stream();
  const direct = blob.size > 0 ? directReader(stream) : null;
  if (!direct) return new Uint8Array(await blob.arrayBuffer());
  const held = [blob, stream, direct];
  beingRead.add(held);
  try {
    const read = directRead(direct);
    let bytes = pool.take(blob.size);
    let filled = 0;
    while (filled < blob.size) {
      const piece = await read(bytes.subarray(filled));
      if (!piece) throw new Error(`${filled} bytes came instead of ${blob.size}`);
      filled += piece.length;
      bytes = new Uint8Array(piece.buffer, 0, blob.size);
    }
    return bytes;
  } finally {
    beingRead.delete(held);
    await direct.cancel().catch(() => undefined);
  }
}

async function* ownPieces(stream: ByteStream): AsyncGenerator<Bytes, void, undefined> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** null for a stream that gives buffers of its own only: which do differs between browsers, and only trying tells. */
function directReader(stream: ByteStream): ReadableStreamBYOBReader | null {
  try {
    return stream.getReader({ mode: 'byob' });
  } catch (thrown) {
    if (thrown instanceof TypeError) return null;
    throw thrown;
  }
}

function directRead(reader: ReadableStreamBYOBReader): DirectRead {
  // in Chromium a read that waits when a stream ends may not end with it; one that has its bytes comes before the timer
  const closed = reader.closed.then(() => new Promise<null>((resolve) => setTimeout(() => resolve(null))));
  return async (into) => {
    const step = await Promise.race([reader.read(into), closed]);
    return step && !step.done ? step.value : null;
  };
}
