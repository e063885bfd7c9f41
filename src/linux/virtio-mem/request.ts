import { VIRTIO_MEM_REQUEST, type VirtioMemRequestType } from "../../abi/virtio-mem/request.ts";
import { VIRTIO_MEM_RESPONSE } from "../../abi/virtio-mem/response.ts";
import { BLOCKED } from "../../flat/procedure.ts";
import { ERRNO } from "../errno.ts";
import { KERNEL_PROCEDURES } from "../kernel.ts";
import { VM } from "./driver.ts";

const { EAGAIN, EINVAL, ENOMEM, ETXTBSY } = ERRNO;

/** What the driver makes of ACK, NACK, BUSY and ERROR, in this order. */
const ERRORS: Readonly<Record<VirtioMemRequestType, readonly [number, number, number, number]>> = {
  PLUG: [0, EAGAIN, ETXTBSY, EINVAL],
  UNPLUG: [0, ENOMEM, ETXTBSY, EINVAL],
  UNPLUG_ALL: [0, ENOMEM, ETXTBSY, ENOMEM],
  STATE: [0, ENOMEM, ENOMEM, EINVAL],
};

/** Errno for a response type; one that the driver does not know is -ENOMEM. */
export const responseErrno = (request: VirtioMemRequestType, response: number): number =>
  ERRORS[request][response] ?? ENOMEM;

/** Response type of what a port's response() gave: the low byte; the state lies above. */
const typeOf = (answer: number): number => answer & 0xff;

const send = KERNEL_PROCEDURES.declare("virtio_mem_send_request", {
  args: ["device", "type", "addr", "blocks"],
  locals: [],
  steps: ["send", "wait"],
});

/** Sends one request and waits for its answer, which it returns as the port gives it. */
export const sendRequest = send.define({
  send: (k, f) => {
    const { v, at } = send;
    k.virtioMem[f.get(v.device)]!.port.send(f.get(v.type), f.get(v.addr), f.get(v.blocks));
    return at.wait;
  },
  wait: (k, f) => {
    const answer = k.virtioMem[f.get(send.v.device)]!.port.response();
    return answer < 0 ? BLOCKED : f.returns(answer);
  },
});

const plug = KERNEL_PROCEDURES.declare("virtio_mem_send_plug_request", {
  args: ["device", "addr", "size"],
  locals: [],
  steps: ["enter", "allowed", "answered", "hooked"],
});

/**
 * PLUG of [addr, addr + size): (device, addr, size) in bytes. Not sent, -EAGAIN, when the configuration
 * changed meanwhile, nor when the design's virtioPlug hook answers with an error. After ACK the size counts as
 * plugged and the design's virtioPlugged hook runs.
 *
 * Returns 0, the error of the response, or what the hook answered if that is negative.
 *
 * @source Linux drivers/virtio/virtio_mem.c; hook: RFCv1 patch 3, RFCv2 patch 6
 */
export const plugRequest = plug.define({
  enter: (k, f) => {
    const { v, at } = plug;
    if (k.virtioMem[f.get(v.device)]!.has(VM.CONFIG_CHANGED)) return f.returns(EAGAIN);
    return f.callIf(k.design.hooks.virtioPlug, at.allowed, f.get(v.addr), f.get(v.size));
  },
  allowed: (k, f) => {
    const { v, at } = plug;
    if (f.result < 0) return f.returns(f.result);
    const device = f.get(v.device);
    const blocks = f.get(v.size) / k.virtioMem[device]!.port.blockSize;
    return f.call(sendRequest, at.answered, device, VIRTIO_MEM_REQUEST.PLUG, f.get(v.addr), blocks);
  },
  answered: (k, f) => {
    const { v, at } = plug;
    const error = responseErrno("PLUG", typeOf(f.result));
    if (error !== 0) return f.returns(error);
    k.virtioMem[f.get(v.device)]!.words[VM.PLUGGED]! += f.get(v.size);
    return f.callIf(k.design.hooks.virtioPlugged, at.hooked, f.get(v.addr), f.get(v.size));
  },
  hooked: (_k, f) => f.returns(Math.min(f.result, 0)),
});

const unplug = KERNEL_PROCEDURES.declare("virtio_mem_send_unplug_request", {
  args: ["device", "addr", "size"],
  locals: ["error"],
  steps: ["enter", "allowed", "answered", "hooked"],
});

/**
 * UNPLUG of [addr, addr + size): (device, addr, size) in bytes. The design's virtioUnplug hook runs before,
 * and keeps the request from being sent with a negative answer; virtioUnplugAnswered runs after any response.
 *
 * Returns 0, -EAGAIN without sending when the configuration changed, the error of the response, or a
 * negative answer of a hook.
 *
 * @source Linux drivers/virtio/virtio_mem.c; hooks: RFCv1 patch 3, RFCv2 patch 6
 */
export const unplugRequest = unplug.define({
  enter: (k, f) => {
    const { v, at } = unplug;
    if (k.virtioMem[f.get(v.device)]!.has(VM.CONFIG_CHANGED)) return f.returns(EAGAIN);
    return f.callIf(k.design.hooks.virtioUnplug, at.allowed, f.get(v.addr), f.get(v.size));
  },
  allowed: (k, f) => {
    const { v, at } = unplug;
    if (f.result < 0) return f.returns(f.result);
    const device = f.get(v.device);
    const blocks = f.get(v.size) / k.virtioMem[device]!.port.blockSize;
    return f.call(sendRequest, at.answered, device, VIRTIO_MEM_REQUEST.UNPLUG, f.get(v.addr), blocks);
  },
  answered: (k, f) => {
    const { v, at } = unplug;
    const response = typeOf(f.result);
    f.set(v.error, responseErrno("UNPLUG", response));
    if (f.get(v.error) === 0) k.virtioMem[f.get(v.device)]!.words[VM.PLUGGED]! -= f.get(v.size);
    const hook = k.design.hooks.virtioUnplugAnswered;
    return f.callIf(hook, at.hooked, f.get(v.addr), f.get(v.size), response);
  },
  hooked: (_k, f) => f.returns(f.result < 0 ? f.result : f.get(unplug.v.error)),
});

const all = KERNEL_PROCEDURES.declare("virtio_mem_send_unplug_all_request", {
  args: ["device"],
  locals: ["error"],
  steps: ["enter", "allowed", "answered", "hooked"],
});

/**
 * UNPLUG_ALL: (device). Sent even when the configuration changed. After ACK nothing is plugged and the
 * configuration is read again, because the usable region may have shrunk. Hooks as around UNPLUG, with the
 * whole region.
 *
 * @source Linux drivers/virtio/virtio_mem.c; hooks: RFCv2 patch 6
 */
export const unplugAllRequest = all.define({
  enter: (k, f) => {
    const vm = k.virtioMem[f.get(all.v.device)]!;
    const { addr, regionSize } = vm.port;
    vm.words[VM.IN_FLIGHT] = 1;
    return f.callIf(k.design.hooks.virtioUnplugAll, all.at.allowed, addr, regionSize);
  },
  allowed: (k, f) => {
    if (f.result < 0) {
      k.virtioMem[f.get(all.v.device)]!.words[VM.IN_FLIGHT] = 0;
      return f.returns(f.result);
    }
    return f.call(sendRequest, all.at.answered, f.get(all.v.device), VIRTIO_MEM_REQUEST.UNPLUG_ALL);
  },
  answered: (k, f) => {
    const vm = k.virtioMem[f.get(all.v.device)]!;
    const response = typeOf(f.result);
    f.set(all.v.error, responseErrno("UNPLUG_ALL", response));
    if (response === VIRTIO_MEM_RESPONSE.ACK) {
      vm.words[VM.UNPLUG_ALL_REQUIRED] = 0;
      vm.words[VM.PLUGGED] = 0;
      vm.words[VM.CONFIG_CHANGED] = 1;
    }
    vm.words[VM.IN_FLIGHT] = 0;
    const { addr, regionSize } = vm.port;
    return f.callIf(k.design.hooks.virtioUnplugAllAnswered, all.at.hooked, addr, regionSize, response);
  },
  hooked: (_k, f) => f.returns(f.result < 0 ? f.result : f.get(all.v.error)),
});

/** Makes a procedure (device, block, subBlock, count) that asks for sub-blocks and notes their bits. */
const subBlocks = (name: string, request: typeof plugRequest, plugged: boolean) => {
  const { v, at, define } = KERNEL_PROCEDURES.declare(name, {
    args: ["device", "block", "subBlock", "count"],
    locals: [],
    steps: ["enter", "answered"],
  });
  return define({
    enter: (k, f) => {
      const vm = k.virtioMem[f.get(v.device)]!;
      vm.words[VM.IN_FLIGHT] = 1;
      const addr = vm.addressOf(f.get(v.block), f.get(v.subBlock));
      return f.call(request, at.answered, f.get(v.device), addr, f.get(v.count) * vm.layout.subBlockSize);
    },
    answered: (k, f) => {
      const vm = k.virtioMem[f.get(v.device)]!;
      vm.words[VM.IN_FLIGHT] = 0;
      if (f.result === 0) vm.setPlugged(f.get(v.block), f.get(v.subBlock), f.get(v.count), plugged);
      return f.returns(f.result);
    },
  });
};

/** Plugs sub-blocks: (device, block, subBlock, count); sets their bits when all went well. Returns 0 or an error. */
export const plugSubBlocks = subBlocks("virtio_mem_sbm_plug_sb", plugRequest, true);
/** Unplugs sub-blocks: (device, block, subBlock, count); clears their bits when all went well. */
export const unplugSubBlocks = subBlocks("virtio_mem_sbm_unplug_sb", unplugRequest, false);
