/** What a model needs from a checkpoint: the architecture file makes this table, weights/ fills it. */

/** Rows [rowStart, rowStart + rowCount) of a checkpoint tensor; the whole tensor when unset. */
export interface TensorPart {
  /** Name of the module without suffix, e.g. 'model.layers.0.self_attn.q_proj'; '.weight' or '.bias' is `leaf`. */
  readonly module: string;
  readonly leaf: 'weight' | 'bias';
  readonly rowStart?: number;
  readonly rowCount?: number;
}

interface SpecBase {
  /** Our name, e.g. 'layers.0.qkv'. */
  readonly name: string;
  /** Concatenated along the rows. */
  readonly parts: readonly TensorPart[];
  /** Tensors of one group land in one GPU buffer, because one dispatch may read several of them: 'layer 3', 'head', … */
  readonly group: string;
}

/** [rows, cols] matrix. 'head' = embedding / output matrix (LoadOptions.headBits), 'projection' = the rest. */
export interface LinearSpec extends SpecBase {
  readonly kind: 'linear';
  readonly role: 'projection' | 'head';
  readonly rows: number;
  readonly cols: number;
}

/** [cols] vector kept in f32. `offset` is added to every element (Gemma's norms store w − 1). */
export interface VectorSpec extends SpecBase {
  readonly kind: 'vector';
  readonly cols: number;
  readonly offset?: number;
  /** True: parts that the checkpoint lacks are zeros (optional biases). */
  readonly optional?: boolean;
}

export type WeightSpec = LinearSpec | VectorSpec;
