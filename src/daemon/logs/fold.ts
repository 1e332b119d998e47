// Letters without their case, byte for byte: what is found in folded bytes stands at the same place in the others.

/** For each character of the Basic Multilingual Plane the one that stands for it in any case. Made when first needed. */
let table: Uint16Array | null = null;

/** Writes the bytes into `into`, letters of UTF-8 without their case. What is no text stays as it is. */
export function foldCase(bytes: Uint8Array, into: Uint8Array): void {
  table ??= foldTable();
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x80) into[at] = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    else at += foldWide(bytes, at, into, table) - 1;
  }
}

/** Of a character of two or three bytes, or of a byte that begins none: how many it has. */
function foldWide(bytes: Uint8Array, at: number, into: Uint8Array, folds: Uint16Array): number {
  const lead = bytes[at] ?? 0;
  const second = bytes[at + 1] ?? 0;
  if (lead >= 0xc2 && lead < 0xe0 && isContinuation(second)) {
    const folded = folds[((lead & 0x1f) << 6) | (second & 0x3f)] ?? 0;
    into[at] = 0xc0 | (folded >> 6);
    into[at + 1] = 0x80 | (folded & 0x3f);
    return 2;
  }
  const third = bytes[at + 2] ?? 0;
  if (lead >= 0xe0 && lead < 0xf0 && isContinuation(second) && isContinuation(third)) {
    const folded = folds[((lead & 0x0f) << 12) | ((second & 0x3f) << 6) | (third & 0x3f)] ?? 0;
    into[at] = 0xe0 | (folded >> 12);
    into[at + 1] = 0x80 | ((folded >> 6) & 0x3f);
    into[at + 2] = 0x80 | (folded & 0x3f);
    return 3;
  }
  into[at] = lead;
  return 1;
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}

function foldTable(): Uint16Array {
  const folded = new Uint16Array(0x10000);
  for (let code = 0; code < folded.length; code += 1) {
    const letter = String.fromCharCode(code);
    // By way of the large letter, which the small ones have in common (σ and ς); but ı is not i, nor is ſ an s.
    const ways = [letter.toUpperCase().toLowerCase(), letter.toLowerCase()];
    const way = ways.find((one) => one.length === 1 && utf8Length(one.charCodeAt(0)) === utf8Length(code));
    folded[code] = way === undefined ? code : way.charCodeAt(0);
  }
  return folded;
}

function utf8Length(code: number): number {
  return code < 0x80 ? 1 : code < 0x800 ? 2 : 3;
}
