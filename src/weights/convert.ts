import { TabmindError } from '../errors';
import { type FloatDtype, type LinearFormat, maxQuantizeRows, NOT_FINITE } from '../kernels/quantize';
import { floatValues } from './float-values';
import { prefetch } from './prefetch';
import type { ImageTensor, SlabLayout } from './slab-layout';
import type { ConversionNeeds, SlabMemory } from './slab-memory';
import type { ModelSource } from './source';
import { badTensor, type RowRun, type WeightPlan } from './weight-plan';

export interface ConversionRequest {
  readonly source: ModelSource;
  readonly plans: readonly WeightPlan[];
  readonly layout: SlabLayout;
  readonly memory: SlabMemory;
  /** The image is cut into chunks of this size. */
  readonly chunkBytes: number;
  /** Chunks that have to be made, ascending. Tensors outside them are not read. */
  readonly missing: readonly number[];
  /** Keeps a finished chunk; null: nothing is read back. */
  readonly saveChunk: ((index: number, bytes: Uint8Array<ArrayBuffer>) => Promise<void>) | null;
  /** Called as checkpoint bytes have been handed to the GPU. */
  readonly onBytes: (loadedBytes: number, totalBytes: number) => void;
  /** Checkpoint bytes in one block: the originals are never in memory beyond a few of these. */
  readonly maxBlockBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/** One tensor to be made, and the blocks of rows that it is made of. */
interface Job {
  readonly tensor: ImageTensor;
  readonly plan: WeightPlan;
  readonly blocks: readonly Block[];
}

interface Block {
  readonly run: RowRun;
  readonly firstRow: number;
  readonly rows: number;
  readonly flagAt: number;
}

const MAX_READS = 6;
/** Blocks of full size that may be read ahead. */
const MAX_BLOCKS_AHEAD = 3;
/** Without a cache nothing waits for the GPU; this keeps the copies queued for it bounded. */
const SETTLE_BYTES = 64 * 2 ** 20;

/** What conversion needs from the GPU, from the plan alone. */
export function conversionNeeds(
  plans: readonly WeightPlan[],
  layout: SlabLayout,
  maxBlockBytes: number,
): ConversionNeeds {
  const programs = new Map<string, { dtype: FloatDtype; format: LinearFormat; groupSize: number }>();
  let [largestBytes, numFlags] = [16, 0];
  for (const { tensor, blocks } of makeJobs(plans, layout, maxBlockBytes))
    for (const { run, rows, flagAt } of blocks) {
      numFlags = Math.max(numFlags, flagAt + 1);
      if (tensor.format === 'f32') continue;
      largestBytes = Math.max(largestBytes, rows * run.rowBytes);
      const { format, groupSize } = tensor;
      programs.set(`${run.dtype} ${format} ${groupSize}`, { dtype: run.dtype, format, groupSize });
    }
  return {
    maxBlockBytes: largestBytes + 4,
    numFlags: Math.max(1, numFlags),
    programs: [...programs.values()],
  };
}

/**
 * Reads the tensors of the missing chunks in the order of the image, packs them into `memory`, and saves every chunk as
 * soon as it is whole. Throws `bad-checkpoint` naming a tensor that holds values which cannot be packed; no chunk with
 * such a value is ever saved.
 */
export async function convertWeights(request: ConversionRequest): Promise<void> {
  const { source, memory, layout, signal } = request;
  const all = makeJobs(request.plans, layout, request.maxBlockBytes);
  const jobs = all.filter(({ tensor }) =>
    request.missing.some((chunk) => overlaps(tensor, chunk, request.chunkBytes)),
  );
  const blocks = jobs.flatMap((job) => job.blocks.map((block) => ({ job, block })));
  const blockBytes = ({ block }: { readonly block: Block }) => block.rows * block.run.rowBytes;
  const totalBytes = blocks.reduce((sum, block) => sum + blockBytes(block), 0);
  const saver = new ChunkSaver(request, all);
  let [loadedBytes, unsettledBytes] = [0, 0];
  const ahead = { maxItems: MAX_READS, maxCost: MAX_BLOCKS_AHEAD * request.maxBlockBytes };
  const reads = prefetch(blocks, ahead, blockBytes, ({ block: { run, firstRow, rows } }) => {
    const begin = run.begin + firstRow * run.rowBytes;
    return source.readRange(run.file, begin, begin + rows * run.rowBytes, signal);
  });
  for (const job of jobs) {
    await saver.saveUpTo(job.tensor.imageOffset);
    const vector = job.tensor.format === 'f32' ? startVector(job) : null;
    for (const block of job.blocks) {
      const { value } = await reads.next();
      signal?.throwIfAborted();
      if (!value || value[0].block !== block) throw new TabmindError('internal', 'blocks out of order');
      const bytes = value[1];
      if (vector) fillVector(vector, job, block, bytes);
      else
        memory.pack(
          job.tensor,
          { ...block, dtype: block.run.dtype, destRow: block.run.destRow + block.firstRow },
          bytes,
        );
      loadedBytes += bytes.length;
      unsettledBytes += bytes.length;
      request.onBytes(loadedBytes, totalBytes);
      if (unsettledBytes < SETTLE_BYTES) continue;
      await memory.settled();
      unsettledBytes = 0;
    }
    if (vector) memory.write(job.tensor.imageOffset, new Uint8Array(vector.buffer));
  }
  await saver.saveUpTo(layout.imageBytes);
  await saver.finish();
}

/** Saves chunks behind the conversion: one is read back and stored while the next is being made. */
class ChunkSaver {
  readonly #request: ConversionRequest;
  readonly #jobs: readonly Job[];
  readonly #left: number[];
  #saving: Promise<void> = Promise.resolve();

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
      const bytes = memory.read(chunk * chunkBytes, end);
      this.#saving = this.#checkFlags().then(async () => saveChunk(chunk, await bytes));
      // awaited before the next chunk or in finish()
      this.#saving.catch(() => undefined);
      bytes.catch(() => undefined);
    }
  }

  async finish(): Promise<void> {
    await this.#saving;
    await this.#checkFlags();
  }

  async #checkFlags(): Promise<void> {
    const flags = await this.#request.memory.flags();
    for (const { blocks } of this.#jobs)
      for (const { run, flagAt } of blocks) {
        const flag = flags[flagAt] ?? 0;
        if (flag !== 0) throw unusable(run, (flag & NOT_FINITE) !== 0);
      }
  }
}

function makeJobs(plans: readonly WeightPlan[], layout: SlabLayout, maxBlockBytes: number): readonly Job[] {
  const byName = new Map(plans.map((plan) => [plan.spec.name, plan]));
  let numFlags = 0;
  return layout.tensors.map((tensor) => {
    const plan = byName.get(tensor.name);
    if (!plan) throw new TabmindError('internal', `no plan for ${tensor.name}`);
    const blocks = plan.runs.flatMap((run) => {
      const flagAt = numFlags++;
      const maxRows = rowsPerBlock(tensor, run, maxBlockBytes);
      const count = Math.ceil(run.rows / maxRows);
      return Array.from({ length: count }, (_, i) => {
        const firstRow = i * maxRows;
        return { run, firstRow, rows: Math.min(maxRows, run.rows - firstRow), flagAt };
      });
    });
    return { tensor, plan, blocks };
  });
}

function rowsPerBlock(tensor: ImageTensor, run: RowRun, maxBlockBytes: number): number {
  const fitting = Math.max(1, Math.floor(maxBlockBytes / run.rowBytes));
  if (tensor.format === 'f32') return fitting;
  return Math.min(fitting, maxQuantizeRows(tensor.format, tensor.groupSize, tensor.paddedCols));
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

function fillVector(vector: Float32Array, { plan }: Job, block: Block, bytes: Uint8Array<ArrayBuffer>): void {
  const { run, firstRow } = block;
  const offset = plan.spec.kind === 'vector' ? (plan.spec.offset ?? 0) : 0;
  const values = floatValues(bytes, run.dtype);
  for (const [i, value] of values.entries()) {
    if (!Number.isFinite(value)) throw unusable(run, true);
    vector[run.destRow + firstRow + i] = value + offset;
  }
}

function unusable(run: RowRun, notFinite: boolean): TabmindError {
  if (notFinite) return badTensor(run.file, run.tensor, 'holds a NaN or an infinity');
  return badTensor(run.file, run.tensor, 'holds a value that is too large for 16-bit floats');
}
