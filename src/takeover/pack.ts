// A state as bytes: a header as JSON, and whatever lies better as bytes behind it.

/** @param pieces are to be found again by their lengths, which the header says */
export function pack(header: object, pieces: readonly Uint8Array[]): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  return Buffer.concat([length, json, ...pieces]);
}

export interface Unpacked<Header> {
  readonly header: Header;
  /** The next so many bytes, as a copy that keeps nothing else alive. */
  readonly take: (length: number) => Buffer;
}

/** What `pack` made. The header is whatever it was: check its version. */
export function unpack<Header>(state: Buffer): Unpacked<Header> {
  const end = 4 + state.readUInt32LE();
  let at = end;
  return {
    header: JSON.parse(state.toString('utf8', 4, end)) as Header,
    take: (length) => {
      at += length;
      if (at > state.length) throw new Error(`the state ends before its ${at}th byte`);
      return Buffer.from(state.subarray(at - length, at));
    },
  };
}
