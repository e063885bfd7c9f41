import { VIRTIO_MEM_REQUEST } from "../../abi/virtio-mem/request.ts";
import { VIRTIO_MEM_RESPONSE, VIRTIO_MEM_STATE } from "../../abi/virtio-mem/response.ts";
import { KERNEL_PROCEDURES } from "../kernel.ts";
import { VM } from "./driver.ts";
import { sendRequest } from "./request.ts";

const { v, at, define } = KERNEL_PROCEDURES.declare("virtio_mem_vmcore_pfn_is_ram", {
  args: ["device", "address"],
  locals: ["block"],
  steps: ["enter", "answered"],
});

/**
 * Whether a page of a device's region is RAM to a kdump kernel: (device, address in bytes). Only a block of which the
 * device says that it is plugged is; the last answer is kept. Any error means no.
 *
 * Returns 1 or 0.
 *
 * @source Linux drivers/virtio/virtio_mem.c, virtio_mem_vmcore_pfn_is_ram
 */
export const pfnIsRam = define({
  enter: (k, f) => {
    const vm = k.virtioMem[f.get(v.device)]!;
    if (vm.port.pluggedSize() === 0) return f.returns(0);
    const { addr, blockSize } = vm.port;
    const address = f.get(v.address);
    const block = address - ((address - addr) % blockSize);
    if (vm.has(VM.ASKED) && vm.words[VM.LAST_BLOCK] === block) return f.returns(vm.words[VM.LAST_PLUGGED]!);
    f.set(v.block, block);
    return f.call(sendRequest, at.answered, f.get(v.device), VIRTIO_MEM_REQUEST.STATE, block, 1);
  },
  answered: (k, f) => {
    const { words } = k.virtioMem[f.get(v.device)]!;
    const ack = (f.result & 0xff) === VIRTIO_MEM_RESPONSE.ACK;
    words[VM.ASKED] = 1;
    words[VM.LAST_BLOCK] = f.get(v.block);
    words[VM.LAST_PLUGGED] = ack && f.result >> 8 === VIRTIO_MEM_STATE.PLUGGED ? 1 : 0;
    return f.returns(words[VM.LAST_PLUGGED]!);
  },
});
