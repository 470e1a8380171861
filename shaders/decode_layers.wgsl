// Layers of one decode row in one dispatch that stays on the GPU: its workgroups go through the phases of a plan, linears and
// attentions, and hand each other the activations (decode_layers/exchange.wgsl). What a dispatch of its own would cost each phase,
// its start and its end with few workgroups left, falls away.
// plan: PLAN_FOURS vec4<u32> a phase in state, from launch.plan_at (src/kernels/decode-layers.ts); phases [first, end).
// Each phase takes all that the one before it gives, and a workgroup reads in a phase only if it gives something in it: so
// whoever has what a phase takes knows that everyone has read what earlier phases take, and may write over that. What is added
// to a result is read by the thread that writes in its place.
// Thread map: decode_layers/resident_linear.wgsl and resident_attention.wgsl; as many workgroups as can run at once.

#params launch
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> scratch: array<atomic<u32>>;
@group(0) @binding(3) var<storage, read_write> state: array<u32>;

const LINEAR = 0u;
const ATTENTION = 1u;
alias PlanWords = array<vec4<u32>, PLAN_FOURS>;

// Of this phase and of the next one.
var<workgroup> plan: array<PlanWords, 2>;

#import floats8
#import exchange
#import packed
#import quads
#import integer_units
#import activation
#import reduce
#import reduce4
#import state
#import kv
#import rotary
#if KEY_BIAS
#import key_bias
#endif
#import resident_linear
#import resident_attention
#import decode_row

fn fetch_phase(phase: u32, index: u32) {
  if (index < PLAN_FOURS) {
    let at = launch.plan_at + (phase * PLAN_FOURS + index) * 4u;
    plan[phase % 2u][index] = vec4<u32>(state[at], state[at + 1u], state[at + 2u], state[at + 3u]);
  }
}

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  // After one step has failed, those that were already on their way need not wait in vain as well.
  polls = select(launch.max_polls, 0u, state[launch.failed_at] != 0u);
  load_place();
  fetch_phase(launch.first, index);
  for (var phase = launch.first; phase < launch.end; phase++) {
    let words = workgroupUniformLoad(&plan[phase % 2u]);
    if (phase + 1u < launch.end) {
      fetch_phase(phase + 1u, index);
    }
    if (words[0].x == ATTENTION) {
      attention(words, wg.x, grid.x, index);
    } else {
      let p = linear_of(words);
      if (wg.x < p.outputs) {
        linear(p, wg.x, grid.x, index);
      }
    }
  }
  if (polls == 0u) {
    state[launch.failed_at] = 1u;
  }
}
