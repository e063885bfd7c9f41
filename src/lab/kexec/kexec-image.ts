import { NotModelled } from "../../not-modelled.ts";
import type { Btf } from "../kernel-image/btf.ts";
import { findMember, LayoutError, sizeOf } from "../kernel-image/btf-layout.ts";
import { MemoryStruct, type ReadMemory } from "../kernel-image/memory-struct.ts";
import { LabError } from "../lab-error.ts";
import type { Span } from "../span.ts";

/** What the running kernel has loaded to be started next. */
export interface KexecImage {
  /** Where each segment goes: guest-physical bytes. */
  readonly segments: readonly Span[];
  /** Whether it lies there already, to run after a crash; otherwise the segments are copied at the jump. */
  readonly onCrash: boolean;
}

/** KEXEC_SEGMENT_MAX. @source Linux include/uapi/linux/kexec.h */
const MOST_SEGMENTS = 16;
/** KEXEC_TYPE_CRASH. @source Linux include/linux/kexec.h */
const CRASH = 1;

/** A bitfield of at most a byte that does not cross one. */
const bitfield = async (
  types: Btf,
  read: ReadMemory,
  name: string,
  path: string,
  at: bigint,
): Promise<number> => {
  const member = findMember(types, name, path);
  if (member?.bits === undefined)
    throw new LayoutError(`struct ${name} of this kernel has no bitfield ${path}`);
  const [byte] = await read(at + BigInt(member.bitOffset >> 3), 1);
  return (byte! >> (member.bitOffset & 7)) & ((1 << member.bits) - 1);
};

/**
 * Reads a struct kimage of the running kernel.
 *
 * @param address virtual
 * @throws NotModelled for one that comes back; LabError if what lies there is no kimage; LayoutError if the kernel's types are others
 */
export const readKexecImage = async (types: Btf, read: ReadMemory, address: bigint): Promise<KexecImage> => {
  const image = new MemoryStruct(types, read, "kimage", address);
  const count = await image.u64("nr_segments");
  if (count > MOST_SEGMENTS)
    throw new LabError(`struct kimage: expected at most ${MOST_SEGMENTS} segments, found ${count}`);
  const size = BigInt(sizeOf(types, "kexec_segment"));
  const segments: Span[] = [];
  for (let n = 0n; n < count; n++) {
    const segment = new MemoryStruct(types, read, "kexec_segment", image.at("segment") + n * size);
    const start = Number(await segment.u64("mem"));
    segments.push({ start, end: start + Number(await segment.u64("memsz")) });
  }
  const comesBack = findMember(types, "kimage", "preserve_context") !== undefined;
  if (comesBack && (await bitfield(types, read, "kimage", "preserve_context", address)) === 1)
    throw new NotModelled("a kexec that comes back to the kernel before (KEXEC_PRESERVE_CONTEXT)");
  const type = await bitfield(types, read, "kimage", "type", address);
  return { segments, onCrash: type === CRASH };
};
