// Counter-based random numbers: a draw is a function of (key, counter) alone, so nothing is kept between draws and
// nothing depends on what else runs. Philox-2x32-10, J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3".

// (high, low) words of a * b
fn multiply_wide(a: u32, b: u32) -> vec2<u32> {
  let low_high = (a & 0xffffu) * (b >> 16u);
  let high_low = (a >> 16u) * (b & 0xffffu);
  let middle = (((a & 0xffffu) * (b & 0xffffu)) >> 16u) + (low_high & 0xffffu) + (high_low & 0xffffu);
  return vec2<u32>((a >> 16u) * (b >> 16u) + (low_high >> 16u) + (high_low >> 16u) + (middle >> 16u), a * b);
}

fn philox(key: u32, counter: vec2<u32>) -> vec2<u32> {
  var k = key;
  var c = counter;
  for (var round = 0u; round < 10u; round++) {
    let product = multiply_wide(0xd256d193u, c.x);
    c = vec2<u32>(product.x ^ k ^ c.y, product.y);
    k += 0x9e3779b9u;
  }
  return c;
}

// floor(limit * bits / 2^64): [0, limit) from 64 random bits (bits.x is the high word)
fn draw_below(limit: u32, bits: vec2<u32>) -> u32 {
  let product = multiply_wide(limit, bits.x);
  let carry = multiply_wide(limit, bits.y).x;
  return product.x + select(0u, 1u, product.y + carry < carry);
}
