import { bytesOfPiece } from './byte-alphabet';
import { textOrByteOf } from './piece-decoder';
import type { Tokenizer } from './tokenizer';

/**
 * The UTF-8 bytes of one token, as it stands in the middle of a text: maybe only a part of a character. Markup such as
 * `<|im_end|>` has the bytes of its name; ids without a token (padding rows of the embedding) have none.
 */
export function bytesOfToken(tokenizer: Tokenizer, id: number): Uint8Array<ArrayBuffer> {
  const piece = tokenizer.pieceOf(id);
  if (piece === null) return new Uint8Array(0);
  if (tokenizer.addedIds.has(id)) return new TextEncoder().encode(piece);
  if (tokenizer.decoder.kind === 'bytes') return bytesOfPiece(piece);
  const decoded = textOrByteOf(tokenizer.decoder, piece, false);
  return typeof decoded === 'string' ? new TextEncoder().encode(decoded) : Uint8Array.of(decoded);
}
