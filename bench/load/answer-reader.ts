/** Reads one HTTP/1.1 answer (RFC 9112) as it arrives: just enough to know when it is whole. */

const HEAD_END = '\r\n\r\n';
const HEAD_BYTES_MAX = 64 * 1024;
/** What is kept of a body: its beginning, for the message of a failure. */
const KEPT_BYTES_MAX = 1_000;
const TAIL_BYTES = 48;
const LINE_FEED = 10;

export class AnswerReader {
  status = 0;
  /** Its last bytes, chunk framing included; streams must end in [DONE]. */
  tail: Buffer = Buffer.alloc(0);
  #head: Buffer | null = Buffer.alloc(0);
  #kept = '';
  /** Bytes until the end of the body, or of the chunk and its line feed. */
  #left = 0;
  #chunked = false;
  #lastChunk = false;
  #sizeLine = '';

  /** The beginning of the body. */
  get text(): string {
    return this.#kept;
  }

  get inBody(): boolean {
    return this.#head === null;
  }

  /** True when the answer is whole. Nothing may follow it. */
  read(bytes: Buffer): boolean {
    let body = bytes;
    if (this.#head !== null) {
      const head = this.#head.length === 0 ? bytes : Buffer.concat([this.#head, bytes]);
      const end = head.indexOf(HEAD_END);
      if (end < 0) {
        if (head.length > HEAD_BYTES_MAX)
          throw new Error('an answer without an end of its headers');
        this.#head = head;
        return false;
      }
      this.#readHead(head.toString('latin1', 0, end));
      this.#head = null;
      body = head.subarray(end + HEAD_END.length);
    }
    if (this.#kept.length < KEPT_BYTES_MAX) this.#kept += body.toString('latin1');
    this.#keepTail(body);
    if (this.#chunked) return this.#readChunks(body);
    this.#left -= body.length;
    if (this.#left < 0) throw new Error('more bytes than the answer may have');
    return this.#left === 0;
  }

  #readHead(head: string): void {
    this.status = Number(head.slice(9, 12));
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length !== undefined) this.#left = Number(length);
    else if (/\r\ntransfer-encoding: *chunked/i.test(head)) this.#chunked = true;
    else throw new Error(`an answer without a length: ${head}`);
  }

  #keepTail(body: Buffer): void {
    this.tail =
      body.length >= TAIL_BYTES
        ? body.subarray(-TAIL_BYTES)
        : Buffer.concat([this.tail, body]).subarray(-TAIL_BYTES);
  }

  #readChunks(bytes: Buffer): boolean {
    let at = 0;
    while (at < bytes.length) {
      if (this.#left > 0) {
        const step = Math.min(this.#left, bytes.length - at);
        at += step;
        this.#left -= step;
        if (this.#left === 0 && this.#lastChunk) return true;
        continue;
      }
      const end = bytes.indexOf(LINE_FEED, at);
      this.#sizeLine += bytes.toString('latin1', at, end < 0 ? bytes.length : end);
      if (end < 0) return false;
      at = end + 1;
      const size = Number.parseInt(this.#sizeLine, 16);
      this.#sizeLine = '';
      this.#lastChunk = size === 0;
      this.#left = size + 2;
    }
    return false;
  }
}
