/**
 * The alphabet of byte-level BPE (GPT-2's bytes_to_unicode): every byte is written as one printable character.
 * Printable Latin-1 bytes stand for themselves, the other 68 are moved up to U+0100 … U+0143.
 */
const BYTE_OF_CHARACTER: ReadonlyMap<string, number> = makeAlphabet();

function makeAlphabet(): Map<string, number> {
  const alphabet = new Map<string, number>();
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    alphabet.set(String.fromCharCode(printable ? byte : next++), byte);
  }
  return alphabet;
}

/** Bytes that a byte-level piece stands for; a piece with a foreign character stands for its own UTF-8 bytes. */
export function bytesOfPiece(piece: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(piece.length);
  for (let i = 0; i < piece.length; i++) {
    const byte = BYTE_OF_CHARACTER.get(piece.charAt(i));
    if (byte === undefined) return new TextEncoder().encode(piece);
    bytes[i] = byte;
  }
  return bytes;
}
