import { TabmindError } from '../errors';
import { NOT_FINITE } from '../kernels/quantize';
import { BufferPool } from './buffer-pool';
import { codeLayout } from './code-block';
import { type Job, makeJobs, type Piece, pieceBytes } from './conversion-job';

import { dequantisedRows } from './dequantise';
import { floatValues } from './float-values';
import { prefetch } from './prefetch';
import { badTensor } from './safetensors';
import { type ScaleRemark, scaleWarnings, scaleWords } from './scale-words';
import type { ImageTensor, SlabLayout } from './slab-layout';
import type { SlabMemory } from './slab-memory';
import type { ModelSource } from './source';
import type { WeightPlan } from './weight-plan';

export { conversionNeeds } from './conversion-job';

export interface ConversionRequest {
  readonly source: ModelSource;
  readonly plans: readonly WeightPlan[];
  readonly layout: SlabLayout;
  readonly memory: SlabMemory;
  /** The image is cut into chunks of this size. */
  readonly chunkBytes: number;
  /** Chunks that have to be made, ascending. Tensors outside them are not read. */
  readonly missing: readonly number[];
  /** Keeps a finished chunk, whose bytes are its own until it resolves; null: nothing is read back. */
  readonly saveChunk: ((index: number, bytes: Uint8Array<ArrayBuffer>) => Promise<void>) | null;
  /** Called as checkpoint bytes have been handed to the GPU. */
  readonly onBytes: (loadedBytes: number, totalBytes: number) => void;
  /** Checkpoint bytes in one block: the originals are never in memory beyond a few of these. */
  readonly maxBlockBytes: number;
  readonly signal?: AbortSignal | undefined;
}

const EMPTY = new Uint8Array(0);
/** As many as browsers hold connections to a host; with the block being packed, the most that are in memory. */
const MAX_READS = 6;
/** Without a cache nothing waits for the GPU; this keeps the copies queued for it bounded. */
const SETTLE_BYTES = 64 * 2 ** 20;

/**
 * Reads the tensors of the missing chunks in the order of the image, packs them into `memory`, and saves every chunk as
 * soon as it is whole. Returns warnings. Throws `bad-checkpoint` naming a tensor that holds values which cannot be packed;
 * no chunk with such a value is ever saved.
 */
export async function convertWeights(request: ConversionRequest): Promise<readonly string[]> {
  const { source, memory, layout, signal } = request;
  const all = makeJobs(request.plans, layout, request.maxBlockBytes);
  const jobs = all.filter(({ tensor }) =>
    request.missing.some((chunk) => overlaps(tensor, chunk, request.chunkBytes)),
  );
  const pieces = jobs.flatMap((job) => job.pieces);
  const totalBytes = pieces.reduce((sum, piece) => sum + pieceBytes(piece), 0);
  const saver = new ChunkSaver(request, all);
  const remarks: ScaleRemark[] = [];
  let [loadedBytes, unsettledBytes] = [0, 0];
  const ahead = { maxItems: MAX_READS, maxCost: MAX_READS * request.maxBlockBytes };
  const pool = new BufferPool(request.maxBlockBytes, MAX_READS + 1);
  const reads = prefetch(pieces, ahead, pieceBytes, (piece) =>
    Promise.all(piece.reads.map(({ file, begin, end }) => source.readRange(file, begin, end, signal, pool))),
  );
  for (const job of jobs) {
    await saver.saveUpTo(job.tensor.imageOffset);
    const vector = job.tensor.format === 'f32' ? startVector(job) : null;
    for (const piece of job.pieces) {
      const { value } = await reads.next();
      signal?.throwIfAborted();
      if (!value || value[0] !== piece) throw new TabmindError('internal', 'pieces out of order');
      if (vector) fillVector(vector, job, piece, value[1]);
      else remarks.push(...packPiece(memory, job, piece, value[1]));
      for (const bytes of value[1]) pool.give(bytes);
      loadedBytes += pieceBytes(piece);
      unsettledBytes += pieceBytes(piece);
      request.onBytes(loadedBytes, totalBytes);
      if (unsettledBytes < SETTLE_BYTES) continue;
      await memory.settled();
      unsettledBytes = 0;
    }
    if (vector) memory.write(job.tensor.imageOffset, new Uint8Array(vector.buffer));
    if (job.order) memory.write(job.tensor.imageOffset, new Uint8Array(job.order.buffer));
  }
  await saver.saveUpTo(layout.imageBytes);
  await saver.finish();
  return scaleWarnings(remarks);
}

/** Hands one piece of a linear to the memory. */
function packPiece(
  memory: SlabMemory,
  { tensor }: Job,
  piece: Piece,
  bytes: readonly Uint8Array<ArrayBuffer>[],
): readonly ScaleRemark[] {
  const [first = EMPTY, second = EMPTY, third = null] = bytes;
  if (piece.kind === 'rows') {
    const { run, firstRow, rows, flagAt } = piece;
    memory.pack(tensor, { dtype: run.dtype, destRow: run.destRow + firstRow, rows, flagAt }, first);
    return [];
  }
  const { module, slices } = piece.run;
  if (piece.kind === 'codes') {
    const layout = codeLayout(module.layout);
    memory.repack(
      tensor,
      { layout, sourceRows: module.rows, slices, first: piece.first, count: piece.count },
      first,
    );
    return [];
  }
  if (piece.kind === 'scales')
    return slices.flatMap((slice) => {
      const scales = { scales: first, zeros: bytes[1] ?? null };
      const { words, remarks } = scaleWords(module, scales, slice, tensor.groupSize);
      const at = tensor.imageOffset + tensor.codesBytes + slice.destRow * tensor.numGroups * 4;
      memory.write(at, new Uint8Array(words.buffer));
      return remarks;
    });
  return slices.flatMap((slice) => {
    const { words, remarks } = scaleWords(module, { scales: second, zeros: third }, slice, module.groupSize);
    for (const { row, values } of dequantisedRows(module, first, words, slice.sourceRow, piece.maxRows)) {
      const rows = values.length / module.cols;
      const block = { dtype: 'F32', destRow: slice.destRow + row, rows, flagAt: piece.flagAt } as const;
      memory.pack(tensor, block, new Uint8Array(values.buffer));
    }
    return remarks;
  });
}

/** Saves chunks behind the conversion: one is read back and stored while the next is being made. */
class ChunkSaver {
  readonly #request: ConversionRequest;
  readonly #jobs: readonly Job[];
  readonly #left: number[];
  #saving: Promise<void> = Promise.resolve();
  /** One chunk is under way at a time. */
  #buffer: Uint8Array<ArrayBuffer> | null = null;

  constructor(request: ConversionRequest, jobs: readonly Job[]) {
    this.#request = request;
    this.#jobs = jobs;
    this.#left = request.saveChunk ? [...request.missing] : [];
  }

  /** Everything before `imageOffset` is made. */
  async saveUpTo(imageOffset: number): Promise<void> {
    const { chunkBytes, layout, memory, saveChunk } = this.#request;
    for (;;) {
      const [chunk] = this.#left;
      if (chunk === undefined || !saveChunk) return;
      const end = Math.min((chunk + 1) * chunkBytes, layout.imageBytes);
      if (end > imageOffset) return;
      this.#left.shift();
      await this.#saving;
      this.#buffer ??= new Uint8Array(chunkBytes);
      const bytes = this.#buffer.subarray(0, end - chunk * chunkBytes);
      const isRead = memory.read(chunk * chunkBytes, bytes);
      this.#saving = this.#checkFlags().then(async () => {
        await isRead;
        await saveChunk(chunk, bytes);
      });
      // awaited before the next chunk or in finish()
      this.#saving.catch(() => undefined);
      isRead.catch(() => undefined);
    }
  }

  async finish(): Promise<void> {
    await this.#saving;
    await this.#checkFlags();
  }

  async #checkFlags(): Promise<void> {
    const flags = await this.#request.memory.flags();
    for (const { pieces } of this.#jobs)
      for (const piece of pieces) {
        const flag = 'flagAt' in piece ? (flags[piece.flagAt] ?? 0) : 0;
        if (flag !== 0) throw unusable(piece, (flag & NOT_FINITE) !== 0);
      }
  }
}

function overlaps(tensor: ImageTensor, chunk: number, chunkBytes: number): boolean {
  const start = chunk * chunkBytes;
  return tensor.imageOffset < start + chunkBytes && tensor.imageOffset + tensor.totalBytes > start;
}

function startVector({ tensor, plan }: Job): Float32Array<ArrayBuffer> {
  const values = new Float32Array(tensor.totalBytes / 4);
  const offset = plan.spec.kind === 'vector' ? (plan.spec.offset ?? 0) : 0;
  return values.fill(offset, 0, tensor.cols);
}

function fillVector(
  vector: Float32Array,
  { plan }: Job,
  piece: Piece,
  [bytes = EMPTY]: readonly Uint8Array<ArrayBuffer>[],
): void {
  if (piece.kind !== 'rows') throw new TabmindError('internal', `${plan.spec.name} is a vector`);
  const { run, firstRow } = piece;
  const offset = plan.spec.kind === 'vector' ? (plan.spec.offset ?? 0) : 0;
  const values = floatValues(bytes, run.dtype);
  for (const [i, value] of values.entries()) {
    if (!Number.isFinite(value)) throw unusable(piece, true);
    vector[run.destRow + firstRow + i] = value + offset;
  }
}

function unusable(piece: Piece, notFinite: boolean): TabmindError {
  const { file, name } =
    piece.kind === 'rows' ? { file: piece.run.file, name: piece.run.tensor } : piece.run.module.codes;
  if (notFinite) return badTensor(file, name, 'holds a NaN or an infinity');
  return badTensor(file, name, 'holds a value that is too large for 16-bit floats');
}
