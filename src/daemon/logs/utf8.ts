// How UTF-8 lies in bytes, for cutting it: RFC 3629, section 3.

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

/** How many bytes a character has that begins with this byte; 0 when none does. */
function characterLength(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

/** How many of the last bytes before `end` (3 at most) are the beginning of a character that goes on after them. */
export function unfinishedCharacter(bytes: Buffer, end: number): number {
  for (let back = 1; back <= 3 && back <= end; back += 1) {
    const byte = bytes[end - back];
    if (byte === undefined || isContinuation(byte)) continue;
    return characterLength(byte) > back ? back : 0;
  }
  return 0;
}

/** How many bytes from `at` on (3 at most) belong to a character that began before. */
export function restOfCharacter(bytes: Buffer, at: number): number {
  const before = unfinishedCharacter(bytes, at);
  if (before === 0) return 0;
  const whole = characterLength(bytes[at - before] ?? 0);
  let rest = 0;
  while (before + rest < whole && isContinuation(bytes[at + rest])) rest += 1;
  return before + rest === whole ? rest : 0;
}
