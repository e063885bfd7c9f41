import { isDone } from "../linux/coco/platform.ts";
import type { Design } from "../linux/design.ts";
import { ERRNO } from "../linux/errno.ts";
import { KERNEL_PROCEDURES } from "../linux/kernel.ts";

const TO_SHARED = 0;
const TO_PRIVATE = 1;

const encrypt = KERNEL_PROCEDURES.declare("set_memory_encrypted", {
  args: ["start", "size"],
  locals: [],
  steps: ["enter", "convert", "converted", "accepted", "mapped"],
});

/**
 * set_memory_encrypted(start, size) in bytes: asks the VMM to make the pages private, accepts them, and maps them
 * private; on a platform that reaches memory by its mapping they are mapped first. Returns 0, or -EIO with the pages in an
 * unknown state.
 *
 * @source Linux arch/x86/mm/pat/set_memory.c, arch/x86/coco/tdx/tdx.c, arch/x86/mm/mem_encrypt_amd.c
 * @missing the one-time warning of a conversion that failed; conversions stopped for kexec (-EBUSY)
 */
const setMemoryEncrypted = encrypt.define({
  enter: (k, f) =>
    k.platform.reachesByMapping
      ? f.call(k.platform.show, encrypt.at.convert, f.get(encrypt.v.start), f.get(encrypt.v.size))
      : encrypt.at.convert,
  convert: (k, f) => {
    const { start, size } = encrypt.v;
    const from = f.get(start);
    return f.call(k.platform.convert, encrypt.at.converted, from, from + f.get(size), TO_PRIVATE);
  },
  converted: (k, f) => {
    const from = f.get(encrypt.v.start);
    const end = from + f.get(encrypt.v.size);
    return f.result === end
      ? f.call(k.platform.accept, encrypt.at.accepted, from, end)
      : f.returns(ERRNO.EIO);
  },
  accepted: (k, f) => {
    if (!isDone(f.result)) return f.returns(ERRNO.EIO);
    if (k.platform.reachesByMapping) return encrypt.at.mapped;
    return f.call(k.platform.show, encrypt.at.mapped, f.get(encrypt.v.start), f.get(encrypt.v.size));
  },
  mapped: (_k, f) => f.returns(0),
});

const decrypt = KERNEL_PROCEDURES.declare("set_memory_decrypted", {
  args: ["start", "size"],
  locals: [],
  steps: ["enter", "mapped", "convert", "converted", "done"],
});

/**
 * set_memory_decrypted(start, size) in bytes: maps the pages shared, which here is no private mapping any more, and
 * asks the VMM to make them shared; on a platform that reaches memory by its mapping in the other order. Returns 0, or -EIO
 * with the pages in an unknown state.
 *
 * @source Linux arch/x86/mm/pat/set_memory.c, arch/x86/coco/tdx/tdx.c, arch/x86/mm/mem_encrypt_amd.c
 * @missing the shared mapping itself
 */
const setMemoryDecrypted = decrypt.define({
  enter: (k) => (k.platform.reachesByMapping ? decrypt.at.convert : decrypt.at.mapped),
  mapped: (k, f) =>
    f.call(k.platform.hide, decrypt.at.convert, f.get(decrypt.v.start), f.get(decrypt.v.size)),
  convert: (k, f) => {
    const from = f.get(decrypt.v.start);
    return f.call(k.platform.convert, decrypt.at.converted, from, from + f.get(decrypt.v.size), TO_SHARED);
  },
  converted: (k, f) => {
    const [start, size] = [f.get(decrypt.v.start), f.get(decrypt.v.size)];
    if (f.result !== start + size) return f.returns(ERRNO.EIO);
    return k.platform.reachesByMapping
      ? f.call(k.platform.hide, decrypt.at.done, start, size)
      : decrypt.at.done;
  },
  done: (_k, f) => f.returns(0),
});

/**
 * Start-shared: device memory is shared while nobody uses it. The driver converts plugged sub-blocks to private
 * just before they go to the allocator, and back to shared before the unplug, which makes the VMM remove the private
 * pages. When an unplug fails the pages are converted to private again; if that fails they are leaked.
 *
 * Known holes, not repaired here: ACPI DIMMs are not covered; nothing waits unaccepted; blocks are mapped, and one chunk
 * is used, before the next is converted; a TD with PAGE_RELEASE cannot convert to shared what it has not released, and then
 * the device is broken.
 *
 * Only the description of the patch was found. Inference: a conversion to shared that fails is -EIO, which breaks the
 * device.
 *
 * @source "[PATCH RFC] virtio-mem: support Confidential Computing (CoCo) environments", 2026-04-01, its description and
 *   replies
 * @missing what it does with a block that goes offline and online again without an unplug: here the second conversion
 *   fails, and the pages stay offline
 */
export const shared: Design = {
  name: "shared",
  title: "start-shared: virtio-mem converts memory to private before use and to shared before unplug",
  tableVersion: 1,
  stubScansSrat: false,
  hooks: {
    virtioOnline: setMemoryEncrypted,
    fakeOnlineContiguous: setMemoryEncrypted,
    virtioUnplug: setMemoryDecrypted,
  },
};
