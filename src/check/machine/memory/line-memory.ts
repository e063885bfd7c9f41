import type { LineFunctions } from "./line.ts";
import { LINE_CODE } from "./line-code.ts";
import { slowLines } from "./slow-lines.ts";

/** Memory, and what works on its lines. */
export interface LineMemory {
  readonly buffer: ArrayBufferLike;
  readonly lines: LineFunctions;
}

/** What of WebAssembly is used here; the language's own library does not declare it. */
declare const WebAssembly: {
  readonly Memory: new (size: {
    readonly initial: number;
    readonly maximum: number;
  }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: { readonly own: { readonly memory: object } },
  ) => { readonly exports: LineFunctions };
  validate(bytes: Uint8Array): boolean;
};

const PAGE = 65_536;

/** Memory of so many bytes or some more, all zero. @param vectors false: worked on word by word */
export const lineMemory = (bytes: number, vectors = true): LineMemory => {
  const pages = Math.ceil(bytes / PAGE);
  if (!vectors || typeof WebAssembly === "undefined" || !WebAssembly.validate(LINE_CODE)) {
    const buffer = new ArrayBuffer(pages * PAGE);
    return { buffer, lines: slowLines(buffer) };
  }
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(LINE_CODE), { own: { memory } });
  return { buffer: memory.buffer, lines: exports };
};
