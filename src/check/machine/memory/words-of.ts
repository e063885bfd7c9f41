/** The words of the memory in which some bytes lie, from its start on. States are read from one memory and written to another. */
export class WordsOf {
  private lastBytes: Uint8Array = new Uint8Array(0);
  private otherBytes: Uint8Array = new Uint8Array(0);
  private last: Uint32Array = new Uint32Array(0);
  private other: Uint32Array = new Uint32Array(0);

  of(bytes: Uint8Array): Uint32Array {
    if (bytes === this.lastBytes) return this.last;
    const { last, lastBytes, other, otherBytes } = this;
    this.last = bytes === otherBytes ? other : new Uint32Array(bytes.buffer);
    this.lastBytes = bytes;
    this.other = last;
    this.otherBytes = lastBytes;
    return this.last;
  }
}
