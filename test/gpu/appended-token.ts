import { halfToFloat } from '../reference/half';
import type { PagedKv } from '../reference/paged-kv';
import { assertClose } from './harness';
import type { KvScene } from './kv-scene';

/** Params within one half ulp, codes within one level, values within half a level, and the twin's words recorded. */
export function compareToken(
  scene: KvScene,
  got: PagedKv,
  table: readonly number[],
  head: number,
  side: 'k' | 'v',
  position: number,
  values: readonly number[],
): void {
  const { kvBits, headDim } = scene.layout;
  scene.kv.append(table, side, head, position, values);
  const what = `${side} head ${head} position ${position}`;
  const largest = Math.max(...values.map(Math.abs));
  const actual = values.map((_, d) => got.value(table, side, head, position, d));
  if (kvBits === 32) assertClose(actual, values, { rel: 2e-6 }, what);
  else if (kvBits === 16) assertClose(actual, values, { rel: 2 ** -10 }, what);
  else {
    const [ours, theirs] = [
      got.params(table, side, head, position),
      scene.kv.params(table, side, head, position),
    ];
    for (const i of [0, 1] as const)
      if (Math.abs(ours[i] - theirs[i]) > 1) throw new Error(`${what}: params ${ours}, expected ${theirs}`);
    for (let d = 0; d < headDim; d++) {
      const [a, b] = [
        got.code(table, side, head, position, d),
        scene.kv.code(table, side, head, position, d),
      ];
      if (Math.abs(a - b) > 1) throw new Error(`${what}: code ${a} at ${d}, expected ${b}`);
    }
    // Half a level; where rounding the offset or the scale has cut the ends off, that rounding on top.
    const ends = largest * 2 ** -10 + halfToFloat(theirs[0]) * (2 ** kvBits - 1) * 2 ** -10;
    assertClose(actual, values, { rel: 0, abs: 0.501 * halfToFloat(theirs[0]) + ends }, what);
  }
}
