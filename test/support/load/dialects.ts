/** How a measuring client asks, and tells whether it was answered. */
export interface Dialect {
  /** A request that costs the server next to nothing. */
  request(number: number): string;
  /** What has come so far: a part of the answer to the request with this number, all of it, or something else. */
  judge(text: string, number: number): 'part' | 'whole' | 'wrong';
}

export type DialectName = 'rocksy' | 'http';

export const DIALECTS: Readonly<Record<DialectName, Dialect>> = {
  rocksy: {
    request: (number) => `hello {"id":${number}}\n`,
    judge: (text, number) => {
      if (!text.endsWith('\n')) return 'part';
      return text.startsWith(`{"id":${number},"ok":true,`) && text.indexOf('\n') === text.length - 1
        ? 'whole'
        : 'wrong';
    },
  },
  /** HTTP/1.1 with keep-alive; the server returns the number as its body. */
  http: {
    request: (number) => `GET /?n=${number} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    judge: (text, number) => {
      const head = text.indexOf('\r\n\r\n');
      if (head < 0) return 'part';
      const length = Number(/^content-length: *(\d+)\r?$/im.exec(text.slice(0, head + 2))?.[1]);
      const body = text.slice(head + 4);
      if (body.length < length) return 'part';
      return text.startsWith('HTTP/1.1 200 ') && body === String(number) ? 'whole' : 'wrong';
    },
  },
};
