import type { Btf } from "../kernel-image/btf.ts";
import { decompressorJump } from "../kernel-image/decompressor-jump.ts";
import { bytesAt } from "../kernel-image/elf-memory.ts";
import { judgeKernel } from "../kernel-image/judge.ts";
import { type KernelImage, kernelTypes } from "../kernel-image/kernel-image.ts";
import { kernelOrc } from "../kernel-image/orc.ts";
import { prologueOf } from "../kernel-image/prologue.ts";
import { relocatedPointer } from "../kernel-image/relocations.ts";
import { instructionSites, TDCALL_FUNCTIONS } from "../kernel-image/sites.ts";
import { stubSpaces } from "../kernel-image/stub-space.ts";
import { placeText } from "../kernel-image/symbol-table.ts";
import { unpackingOf } from "../kernel-image/unpacking.ts";
import { LabError } from "../lab-error.ts";
import type { GuestKernel } from "./guest-kernel.ts";
import { STUB_BYTES } from "./mailbox-stub.ts";

const stubRoomOf = (image: KernelImage): GuestKernel["stubRoom"] => {
  const space = stubSpaces(image, STUB_BYTES)[0];
  return space === undefined ? { at: 0n, bytes: 0 } : { at: space.address, bytes: space.length };
};

/** @throws LabError if the kernel is none for a TD, or makes its TDCALLs elsewhere */
export const tdcallsOf = (image: KernelImage): GuestKernel["tdcalls"] => {
  const { elf, symbols, release } = image;
  const sites = instructionSites(elf, symbols, "TDCALL");
  const judged = judgeKernel(image);
  if (sites.length === 0 && !judged.ok)
    throw new LabError(`${judged.line}; give a kernel of Linux 6.7 or later that has it`);
  const other = sites.find(({ place }) => !TDCALL_FUNCTIONS.some((name) => name === place?.name));
  if (sites.length === 0 || other !== undefined) {
    const found = other === undefined ? "none" : `one in ${placeText(symbols, other.address)}`;
    throw new LabError(
      `kernel ${release}: expected its TDCALL instructions in ${TDCALL_FUNCTIONS.join(", ")}, found ${found}; ` +
        "give a kernel of Linux 6.7 or later with CONFIG_INTEL_TDX_GUEST",
    );
  }
  return TDCALL_FUNCTIONS.flatMap((name) => {
    const address = symbols.addressOf(name);
    const code = address === undefined ? undefined : bytesAt(elf, address, 16);
    if (address === undefined || code === undefined) return [];
    return [{ at: address + (prologueOf(code).endbr ? 4n : 0n), outputs: name !== "__tdcall" }];
  });
};

/**
 * What the lab must know of a kernel, from its image.
 *
 * @throws LabError if the lab cannot run this kernel as a TD; DecodeError if its decompressor is unknown
 */
export const readGuestKernel = (image: KernelImage): GuestKernel => {
  const { bzImage, elf, symbols, release } = image;
  if (bzImage === undefined)
    throw new LabError(`kernel ${release}: expected a bzImage, found a plain vmlinux; give the bzImage`);
  const base = symbols.addressOf("_text");
  if (base === undefined)
    throw new LabError(`kernel ${release}: expected a symbol _text, found none; give another kernel`);
  const { header } = bzImage;
  let types: Btf | undefined;
  return {
    release,
    lastJump: decompressorJump(bzImage),
    unpacking: unpackingOf(image),
    preferred: Number(header.prefAddress),
    alignment: header.kernelAlignment,
    entryOffset: Number(elf.entry - header.prefAddress),
    initSize: header.initSize,
    base,
    relocated: relocatedPointer(elf),
    cpuidSites: instructionSites(elf, symbols, "CPUID").map(({ address }) => address),
    stubRoom: stubRoomOf(image),
    tdcallSites: instructionSites(elf, symbols, "TDCALL").map(({ address }) => address),
    tdcalls: tdcallsOf(image),
    symbol: (name) => symbols.addressOf(name),
    types: () => (types ??= kernelTypes(image)),
    unwindTable: () => kernelOrc(image),
    symbols,
  };
};
