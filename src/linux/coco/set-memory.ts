import type { Frame, Next } from "../../flat/procedure.ts";
import { ERRNO } from "../errno.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { KEXEC } from "../kexec/kexec.ts";
import { isDone } from "./platform.ts";

const TO_SHARED = 0;
const TO_PRIVATE = 1;

const decrypt = KERNEL_PROCEDURES.declare("set_memory_decrypted", {
  args: ["start", "size"],
  locals: [],
  steps: ["enter", "converted"],
});

/** CPA's one complaint about a conversion that the VMM or the module refused. */
const complain = (k: Kernel, f: Frame<Kernel>, to: string): Next => {
  k.printk(`CPA VMM failure to convert memory (addr=0x${f.get(0).toString(16)}) to ${to}: -5`);
  return f.returns(ERRNO.EIO);
};

/**
 * set_memory_decrypted(start, size) in bytes: maps pages shared, then asks the VMM to make them shared. The pages are in
 * use and were accepted before. Returns 0; -EBUSY when conversions are stopped for a kexec; -EIO with the pages in an
 * unknown state, mapped shared: whoever asked leaks them.
 *
 * @source Linux arch/x86/mm/pat/set_memory.c, arch/x86/coco/tdx/tdx.c
 * @missing the flush between mapping and conversion; that the complaint is printed once only
 */
export const setMemoryDecrypted = decrypt.define({
  enter: (k, f) => {
    const { v, at } = decrypt;
    if (k.kexec.has(KEXEC.CONVERSIONS_STOPPED)) return f.returns(ERRNO.EBUSY);
    const from = f.get(v.start);
    const end = from + f.get(v.size);
    k.shared.add(from, end);
    return f.call(k.platform.convert, at.converted, from, end, TO_SHARED);
  },
  converted: (k, f) =>
    f.result === f.get(decrypt.v.start) + f.get(decrypt.v.size) ? f.returns(0) : complain(k, f, "shared"),
});

const encrypt = KERNEL_PROCEDURES.declare("set_memory_encrypted", {
  args: ["start", "size"],
  locals: [],
  steps: ["enter", "convert", "converted", "accepted"],
});

/** The page-table bits change: from here on the pages are mapped private. */
const map = (k: Kernel, f: Frame<Kernel>): void =>
  k.shared.remove(f.get(encrypt.v.start), f.get(encrypt.v.start) + f.get(encrypt.v.size));

/**
 * set_memory_encrypted(start, size) in bytes: asks the VMM to make pages private, accepts them, and only then maps them
 * private. A kernel without that order maps them first, and whoever reads across a page boundary meanwhile meets a page
 * that is not accepted. Returns as setMemoryDecrypted.
 *
 * @source Linux arch/x86/mm/pat/set_memory.c, arch/x86/coco/tdx/tdx.c, tdx_enc_status_change_prepare
 */
export const setMemoryEncrypted = encrypt.define({
  enter: (k, f) => {
    if (k.kexec.has(KEXEC.CONVERSIONS_STOPPED)) return f.returns(ERRNO.EBUSY);
    if (!k.variant.convertsBeforeMapping) map(k, f);
    return encrypt.at.convert;
  },
  convert: (k, f) => {
    const { v, at } = encrypt;
    const from = f.get(v.start);
    return f.call(k.platform.convert, at.converted, from, from + f.get(v.size), TO_PRIVATE);
  },
  converted: (k, f) => {
    const from = f.get(encrypt.v.start);
    const end = from + f.get(encrypt.v.size);
    if (f.result !== end) return complain(k, f, "private");
    return f.call(k.platform.accept, encrypt.at.accepted, from, end);
  },
  accepted: (k, f) => {
    if (!isDone(f.result)) return complain(k, f, "private");
    map(k, f);
    return f.returns(0);
  },
});
