/** A place in a real kernel where a thread can be held while others go on. */
export interface HoldPoint {
  /** Name of the function. */
  readonly function: string;
  readonly in: "kernel" | "virtio_mem driver";
  /** Before its first instruction, or when it has returned. */
  readonly at: "entry" | "return";
  /** Whether its thread may sleep there. One that may not keeps its vCPU, which takes no interrupts meanwhile. */
  readonly sleeps: boolean;
}

/** Where a story's thread stands, and which place of a real kernel that is. */
export interface HoldRow {
  /** Procedure and step that run next. */
  readonly place: string;
  /** Only where the VMM's loop of the device has come to one of these, or to none ("idle"). */
  readonly vmm?: readonly string[];
  /** Only where this step was taken last: further on, a part of the call is done already. */
  readonly after?: string;
  readonly point: HoldPoint;
  /** A call is this step taken once. Which call is meant follows from how often, or from the memory that it is about. */
  readonly call: string;
  /** The call is still to be made, or is made. */
  readonly made: boolean;
}

const driver = (name: string, at: "entry" | "return"): HoldPoint => ({
  ...{ function: name, in: "virtio_mem driver", at, sleeps: true },
});
const SEND = "virtio_mem_send_request";
const SENDS = `${SEND}:send`;
const [BEFORE_SEND, AFTER_SEND] = [driver(SEND, "entry"), driver(SEND, "return")];
/** Step of QEMU's part, once nothing of the request is left to do but the answer. */
const SETTLED = ["answer a virtio-mem request:settled", "idle"];
const UNTAKEN = ["answer a virtio-mem request:take"];

/** @source Linux drivers/virtio/virtio_mem.c: the worker asks with a mutex held, and may sleep */
const REQUESTS: readonly HoldRow[] = [
  { place: SENDS, point: BEFORE_SEND, call: SENDS, made: false },
  { place: `${SEND}:wait`, vmm: UNTAKEN, point: BEFORE_SEND, call: SENDS, made: true },
  { place: `${SEND}:wait`, vmm: SETTLED, point: AFTER_SEND, call: SENDS, made: true },
];

/** Of PLUG and UNPLUG alike: the design's hook before the request, the request, the design's hook after it. */
const aroundRequest = (kind: "plug" | "unplug"): readonly HoldRow[] => {
  const name = `virtio_mem_send_${kind}_request`;
  const call = `${name}:enter`;
  return [
    { place: call, point: driver(name, "entry"), call, made: false },
    { place: `${name}:allowed`, point: BEFORE_SEND, call: SENDS, made: false },
    { place: `${name}:answered`, point: AFTER_SEND, call: SENDS, made: true },
    { place: `virtio_mem_${kind}ged:enter`, point: AFTER_SEND, call: SENDS, made: true },
    { place: `${name}:hooked`, point: driver(name, "return"), call, made: true },
    { place: `virtio_mem_sbm_${kind}_sb:answered`, point: driver(name, "return"), call, made: true },
  ];
};

/**
 * accept_memory() has looked at the bits and makes its TDCALLs, or has made them and is about to clear the bits. It has
 * interrupts off there, and has dropped its lock.
 *
 * @source Linux drivers/firmware/efi/unaccepted_memory.c, accept_memory; arch/x86/coco/tdx/tdx-shared.c, tdx_accept_memory
 */
const ACCEPT = "tdx_accept_memory";
const accepts = (at: "entry" | "return"): HoldPoint => ({
  ...{ function: ACCEPT, in: "kernel", at, sleeps: false },
});
const SCANS = "accept_memory:scan";
const ACCEPTS: readonly HoldRow[] = [
  { place: `${ACCEPT}:page`, after: SCANS, point: accepts("entry"), call: SCANS, made: true },
  { place: "accept_memory:accepted", point: accepts("return"), call: SCANS, made: true },
];

/**
 * Memory was added and brought online, and the hotplug lock is dropped; who adds it still has the lock of devices.
 *
 * @source Linux mm/memory_hotplug.c, add_memory_resource
 */
const ADD = "add_memory_resource";
const ADDED: HoldRow = {
  place: `${ADD}:onlined`,
  point: { function: ADD, in: "kernel", at: "return", sleeps: true },
  call: `${ADD}:enter`,
  made: true,
};

/**
 * Places of the model at which a real kernel can be stopped too.
 *
 * @missing places in the midst of a design's hook, which the linux world runs at once; of memory that is being added,
 *   brought online or removed; of the page allocator
 */
export const HOLD_ROWS: readonly HoldRow[] = [
  ...REQUESTS,
  ...aroundRequest("plug"),
  ...aroundRequest("unplug"),
  ...ACCEPTS,
  ADDED,
];

/** Whether which call is meant follows from the memory that it is about: a real kernel makes many such calls. */
export const isByMemory = ({ function: name }: HoldPoint): boolean => name === ACCEPT;

export const holdText = ({ function: name, at }: HoldPoint): string =>
  at === "entry" ? `the entry of ${name}()` : `the return of ${name}()`;
