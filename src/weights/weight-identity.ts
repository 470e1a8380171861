import type { LoadOptions, ModelRef, WeightBits } from '../model-ref';
import type { LinearSpec, WeightSpec } from '../models/weight-spec';
import { type PackedTensor, packedLinear, packedOrder, packedVector } from './packed-tensor';

/** Which model, packed how: what a cached model is found by. */
export interface WeightIdentity {
  readonly id: string;
  /** '' where the reference names none. */
  readonly revision: string;
  readonly weightBits: WeightBits;
  readonly headBits: WeightBits;
  /** Columns that share a scale; multiple of 32. */
  readonly groupSize: number;
}

/** Fills in the defaults: 4 bits; 8 for embedding and head (16 when the weights have 16); groups of 128. */
export function weightIdentity(model: ModelRef, options: LoadOptions): WeightIdentity {
  const weightBits = options.weightBits ?? 4;
  return {
    id: model.id,
    revision: model.revision ?? '',
    weightBits,
    headBits: options.headBits ?? (weightBits === 16 ? 16 : 8),
    groupSize: 128,
  };
}

export function sameIdentity(a: WeightIdentity, b: WeightIdentity): boolean {
  return (
    a.id === b.id &&
    a.revision === b.revision &&
    a.weightBits === b.weightBits &&
    a.headBits === b.headBits &&
    a.groupSize === b.groupSize
  );
}

/** The packed form of a linear that the checkpoint holds in 4 bits, in whole or in part: the checkpoint decides it. */
export interface PackedForm {
  readonly format: 'w4' | 'w16';
  /** Multiple of 32; 0 for w16. */
  readonly groupSize: number;
  /** True: the columns are sorted, and the order is a tensor of its own. */
  readonly permuted: boolean;
}

/** By the names of the specs; the identity decides for all others. */
export type PackedForms = Readonly<Record<string, PackedForm>>;

/** All packed tensors that a spec gets, the column order before what is packed by it. */
export function packedTensors(
  spec: WeightSpec,
  identity: WeightIdentity,
  forms: PackedForms,
): readonly PackedTensor[] {
  const form = forms[spec.name];
  if (!form || spec.kind === 'vector') return [packedTensor(spec, identity)];
  const packed = packedLinear(spec.name, form.format, spec.rows, spec.cols, form.groupSize);
  return form.permuted ? [packedOrder(spec.name, spec.cols), packed] : [packed];
}

/** The packed form that a spec gets from a float checkpoint. */
export function packedTensor(spec: WeightSpec, identity: WeightIdentity): PackedTensor {
  if (spec.kind === 'vector') return packedVector(spec.name, spec.cols);
  return packedLinear(spec.name, linearFormat(spec, identity), spec.rows, spec.cols, identity.groupSize);
}

function linearFormat(spec: LinearSpec, identity: WeightIdentity): 'w4' | 'w8' | 'w16' {
  const bits = spec.role === 'head' ? identity.headBits : identity.weightBits;
  return ({ 4: 'w4', 8: 'w8', 16: 'w16' } as const)[bits];
}
