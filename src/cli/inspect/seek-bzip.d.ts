/** Types of seek-bzip, as far as it is used here; the package has none of its own. */
declare module "seek-bzip" {
  interface Input {
    readByte(): number;
    read(to: Uint8Array, at: number, length: number): number;
    eof(): boolean;
    seek(at: number): void;
  }
  interface Output {
    writeByte(byte: number): void;
  }
  /** Tells the place of each block in bits, and the bytes that it unfolds to. @throws for damaged data */
  function table(packed: Input, tell: (bit: number, size: number) => void, severalStreams: boolean): void;
  /** Unpacks one stream. @throws for damaged data, and what `packed` and `to` throw */
  function decode(packed: Input, to: Output): void;
  /** Unpacks one block. @throws for damaged data */
  function decodeBlock(packed: Input, bit: number, to: Output): void;
}
