// Floats that workgroups of one dispatch hand to each other. A word carries in its two lowest bits a tag, which the reader
// expects and which the word did not have before; so each word says itself whether it is there, and nothing has to be ordered
// against anything else: a relaxed atomic load that sees the tag sees the value. What is left of the float are 22 bits.
// The one thing taken for granted is that all workgroups run at once. Where they do not, the polls of a thread run out,
// it goes on with whatever is there, and the dispatch reports that it failed.
// Needs: var<storage, read_write> scratch: array<atomic<u32>>.

// Tag of words that were there before the dispatch and are whole floats.
const PLAIN = 4u;

// Where a vector lies: element i at `at` + i % 8 * step + i / 8 * octet, so that threads which take eight each read
// neighbouring words at a time.
struct Place {
  at: u32,
  step: u32,
  octet: u32,
  tag: u32,
}

var<private> polls: u32;

fn word_at(place: Place, i: u32) -> u32 {
  return place.at + i % 8u * place.step + i / 8u * place.octet;
}

fn is_there(word: u32, tag: u32) -> bool {
  return tag == PLAIN || (word & 3u) == tag;
}

fn untagged(word: u32, tag: u32) -> f32 {
  return bitcast<f32>(select(word & ~3u, word, tag == PLAIN));
}

fn take(at: u32, tag: u32) -> f32 {
  var word = atomicLoad(&scratch[at]);
  while (!is_there(word, tag) && polls > 0u) {
    polls--;
    word = atomicLoad(&scratch[at]);
  }
  return untagged(word, tag);
}

// What a load has brought, or what comes if it was too early.
fn settled(word: u32, at: u32, tag: u32) -> f32 {
  if (is_there(word, tag)) {
    return untagged(word, tag);
  }
  return take(at, tag);
}

// Rounded to what the tag leaves; infinities and NaN stay what they are.
fn give(at: u32, value: f32, tag: u32) {
  let word = bitcast<u32>(value);
  let rounded = select(word, word + 2u, (word & 0x7f800000u) != 0x7f800000u);
  atomicStore(&scratch[at], select((rounded & ~3u) | tag, word, tag == PLAIN));
}

// Elements 1 .. 7 of an octet, as loaded.
struct Rest {
  a: vec4<u32>,
  b: vec4<u32>,
}

fn load_rest(place: Place, at: u32) -> Rest {
#for i in 7
  let w$i = atomicLoad(&scratch[at + ($i + 1u) * place.step]);
#endfor
  return Rest(vec4<u32>(w0, w1, w2, w3), vec4<u32>(w4, w5, w6, w6));
}

fn untagged4(words: vec4<u32>, tag: u32) -> vec4<f32> {
  return bitcast<vec4<f32>>(select(words & vec4<u32>(~3u), words, tag == PLAIN));
}

// The octet that begins at word `at`, loaded again as long as something of it is missing.
fn octet_of(place: Place, at: u32, first: u32, loaded: Rest) -> Floats8 {
  var word = first;
  var rest = loaded;
  let tag = vec4<u32>(place.tag);
  while (polls > 0u && place.tag != PLAIN) {
    if (all((rest.a & vec4<u32>(3u)) == tag) && all((rest.b & vec4<u32>(3u)) == tag) && is_there(word, place.tag)) {
      break;
    }
    polls--;
    word = atomicLoad(&scratch[at]);
    rest = load_rest(place, at);
  }
  let a = untagged4(rest.a, place.tag);
  let b = untagged4(rest.b, place.tag);
  return Floats8(vec4<f32>(untagged(word, place.tag), a.xyz), vec4<f32>(a.w, b.xyz));
}
