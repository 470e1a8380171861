import { badTokenizer, isJsonObject, type JsonObject } from './json-object';
import { compileReplace } from './tokenizer-pipeline';

const FILE = 'tokenizer.json';

/** Rewrites one piece; `isFirst` is true for the first piece of the text. */
type RewritePiece = (piece: string, isFirst: boolean) => string;

/** How pieces become text: `decoder` of tokenizer.json in a form that works on a stream. */
export interface PieceDecoder {
  /** 'bytes': pieces are written in the byte alphabet. 'text': pieces are text, apart from `<0x0A>` bytes. */
  readonly kind: 'bytes' | 'text';
  /** Applied to each piece, in order. Empty for 'bytes'. */
  readonly rewrites: readonly RewritePiece[];
  /** `<0x0A>` pieces are bytes; a run of them is decoded as UTF-8. */
  readonly byteFallback: boolean;
  /** Cut from the head of the whole text: up to `count` times `content`. */
  readonly stripHead: { readonly content: string; readonly count: number };
}

interface Draft {
  rewrites: RewritePiece[];
  kind: PieceDecoder['kind'];
  byteFallback: boolean;
  fused: boolean;
  stripHead: PieceDecoder['stripHead'];
}

/**
 * Reads `decoder` of tokenizer.json: ByteLevel, or a chain of Replace / Metaspace / Strip, then ByteFallback, then
 * Fuse and a Strip of the head. Without a decoder, pieces are words with spaces between.
 * @throws TabmindError 'bad-tokenizer' for anything else (none of it is used by models that write text).
 */
export function readPieceDecoder(root: JsonObject): PieceDecoder {
  const draft: Draft = {
    rewrites: [],
    kind: 'text',
    byteFallback: false,
    fused: false,
    stripHead: { content: '', count: 0 },
  };
  const decoder = root.decoder ?? null;
  if (decoder === null) draft.rewrites.push((piece, isFirst) => (isFirst ? piece : ` ${piece}`));
  else addPart(draft, decoder, 'decoder');
  const { rewrites, kind, byteFallback, stripHead } = draft;
  if (kind === 'bytes' && (rewrites.length > 0 || byteFallback || stripHead.count > 0))
    throw badTokenizer(FILE, 'decoder mixes ByteLevel with other types, which is not supported');
  return { rewrites, kind, byteFallback, stripHead };
}

function addPart(draft: Draft, part: unknown, path: string): void {
  if (!isJsonObject(part)) throw badTokenizer(FILE, `${path} must be an object`);
  switch (part.type) {
    case 'Sequence': {
      if (!Array.isArray(part.decoders)) throw badTokenizer(FILE, `${path}.decoders must be a list`);
      for (const [index, member] of part.decoders.entries())
        addPart(draft, member, `${path}.decoders[${index}]`);
      return;
    }
    case 'ByteLevel':
      draft.kind = 'bytes';
      return;
    case 'Replace':
      addRewrite(draft, compileReplace(part, path), path);
      return;
    case 'Metaspace':
      addRewrite(draft, metaspace(part), path);
      return;
    case 'Strip':
      addStrip(draft, part, path);
      return;
    case 'ByteFallback':
      draft.byteFallback = true;
      return;
    case 'Fuse':
      draft.fused = true;
      return;
    default:
      throw badTokenizer(FILE, `${path} has the type "${String(part.type)}", which is not supported`);
  }
}

/** After ByteFallback or Fuse a piece is no longer what one token stands for, so it cannot be rewritten on its own. */
function addRewrite(draft: Draft, rewrite: RewritePiece, path: string): void {
  if (draft.byteFallback || draft.fused)
    throw badTokenizer(FILE, `${path} comes after ByteFallback or Fuse, which is not supported`);
  draft.rewrites.push(rewrite);
}

function metaspace(part: JsonObject): RewritePiece {
  const mark = typeof part.replacement === 'string' ? part.replacement : '\u2581';
  return (piece, isFirst) => {
    const text = piece.replaceAll(mark, ' ');
    return isFirst && text.startsWith(' ') ? text.slice(1) : text;
  };
}

function addStrip(draft: Draft, part: JsonObject, path: string): void {
  const { content = '', start = 0, stop = 0 } = part;
  if (typeof content !== 'string' || typeof start !== 'number' || typeof stop !== 'number')
    throw badTokenizer(FILE, `${path} must have a content, a start and a stop`);
  if (stop > 0) throw badTokenizer(FILE, `${path} cuts from the end of the text, which is not supported`);
  if (draft.fused) draft.stripHead = { content, count: start };
  else addRewrite(draft, (piece) => stripHead(piece, content, start), path);
}

/** Cuts up to `count` leading `content` characters. */
export function stripHead(text: string, content: string, count: number): string {
  let cut = 0;
  while (cut < count && content !== '' && text.charAt(cut) === content) cut++;
  return text.slice(cut);
}

const BYTE_PIECE = /^<0x([0-9A-Fa-f]{2})>$/;

/** What a piece of a 'text' decoder stands for: text, or the byte of a piece like `<0x0A>`. */
export function textOrByteOf(decoder: PieceDecoder, piece: string, isFirst: boolean): string | number {
  let text = piece;
  for (const rewrite of decoder.rewrites) text = rewrite(text, isFirst);
  const hex = decoder.byteFallback ? BYTE_PIECE.exec(text)?.[1] : undefined;
  return hex === undefined ? text : Number.parseInt(hex, 16);
}
