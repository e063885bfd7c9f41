import { bytesAt } from "./elf-memory.ts";
import type { KernelImage } from "./kernel-image.ts";
import { readPatchSites } from "./patch-sites.ts";

/** Room in the kernel's text for code of ours, which the kernel neither runs nor rewrites. */
export interface StubSpace {
  /** Where it starts, as linked; a multiple of 16. */
  readonly address: bigint;
  /** Bytes. */
  readonly length: number;
  /** Behind the last function, or inside one that only another hypervisor's guest calls. */
  readonly kind: "padding behind the text" | "idle function";
  /** The symbol before it. */
  readonly name: string;
}

const PAGE = 4096n;
/** How far back from the end of the text padding is looked for. */
const FURTHEST = 65_536;
const INT3 = 0xcc;
/** Entry of an idle function: endbr64 and the 5 bytes that ftrace compares and rewrites. */
const KEPT = 16n;
/** Functions that run only where their hypervisor was detected, which QEMU without KVM never is. */
const OTHER_HYPERVISOR = /^(?:vmware|jailhouse|acrn|hv|hyperv|xen)_/;
/** First letters of these names: most symbols are passed over by them. */
const FIRST_LETTERS = new Set(Buffer.from("vjahx"));

const up = (address: bigint, to: bigint): bigint => ((address + to - 1n) / to) * to;

/**
 * The rest of the last page of text. It stays mapped executable: the kernel gives back whole pages from the page after
 * _etext on.
 *
 * @source Linux arch/x86/mm/init_64.c, mark_rodata_ro: text_end = PFN_ALIGN(_etext)
 */
const padding = ({ elf, symbols }: KernelImage): StubSpace[] => {
  const text = symbols.addressOf("_etext");
  if (text === undefined) return [];
  const end = up(text, PAGE);
  const first = symbols.addressOf("_stext") ?? end;
  const length = Math.min(FURTHEST, Number(end - first));
  const bytes = bytesAt(elf, end - BigInt(length), length);
  if (bytes === undefined) return [];
  let code = length;
  while (code > 0 && (bytes[code - 1] === 0 || bytes[code - 1] === INT3)) code--;
  const address = up(end - BigInt(length - code), 16n) + 16n;
  if (address >= end) return [];
  const name = symbols.nearest(address)?.name ?? "_etext";
  return [{ address, length: Number(end - address), kind: "padding behind the text", name }];
};

/** Functions of other hypervisors, from behind their entry to the first place that the kernel rewrites. */
const idleFunctions = (image: KernelImage): StubSpace[] => {
  const { symbols, elf } = image;
  const start = symbols.addressOf("_stext") ?? 0n;
  const end = symbols.addressOf("_etext") ?? 0n;
  const { text, starts } = symbols.data;
  const patched = readPatchSites(elf, symbols);
  const spaces: StubSpace[] = [];
  for (let n = 0; n < symbols.count; n++) {
    if (!FIRST_LETTERS.has(text[starts[n]! + 1]!)) continue;
    const name = symbols.nameAt(n);
    if (!OTHER_HYPERVISOR.test(name) || !/t/i.test(symbols.typeAt(n))) continue;
    const at = symbols.addressAt(n);
    const next = symbols.next(at);
    if (at < start || next === undefined || next > end) continue;
    const address = up(at + KEPT, 16n);
    const length = Number((patched.first(address, next) ?? next) - address);
    if (length > 0) spaces.push({ address, length, kind: "idle function", name });
  }
  return spaces;
};

/**
 * Places for a stub of `length` bytes, the best first: padding, which belongs to nobody, then the longest functions.
 *
 * @returns none if the image has no such place
 */
export const stubSpaces = (image: KernelImage, length: number): StubSpace[] => {
  const functions = idleFunctions(image).sort((a, b) => b.length - a.length || Number(a.address - b.address));
  return [...padding(image), ...functions].filter((space) => space.length >= length);
};
