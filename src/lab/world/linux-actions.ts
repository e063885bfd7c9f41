import { rmSync } from "node:fs";
import { assert } from "../../assert.ts";
import { NotModelled } from "../../not-modelled.ts";
import type { Action } from "../../scenario/scenario.ts";
import { type Outcome, SUCCESS } from "../../scenario/world.ts";
import { MIB, PAGE_SIZE } from "../../units.ts";
import { plugDimm, requestUnplugDimm } from "../../vmm/dimm.ts";
import { handleEject } from "../../vmm/eject.ts";
import type { AutoOnline, OnlineKind } from "../agent/guest.ts";
import { Cleanup } from "../cleanup.ts";
import type { LabSession } from "../session/lab-session.ts";
import type { Span } from "../span.ts";
import { QmpRefused } from "../wire/qmp-refused.ts";
import { crash, startAnother } from "./another-kernel.ts";
import { ended, guarded } from "./guest-outcome.ts";
import { accessMemory, readAcross } from "./kernel-access.ts";
import { type Asked, type DeviceSizes, deviceSettled, dimmGone, dimmTaken } from "./settling.ts";

type Act<K extends Action["kind"]> = Action & { kind: K };

const DONE: Outcome = { status: SUCCESS, detail: "" };
const KIB = 1024;

/** Lets the kernel go up to its agent, and makes the guest as the scenario wants it. */
export const bootGuest = async (session: LabSession, autoOnline: AutoOnline): Promise<Outcome> => {
  if (!(await session.boot())) return ended(session, "BOOT_FAILED");
  return guarded(session, () => furnish(session, autoOnline));
};

/** Makes a kernel that has just come up as the scenario wants it. */
export const furnish = async (session: LabSession, autoOnline: AutoOnline): Promise<Outcome> => {
  await session.guest.setAutoOnline(autoOnline);
  if (session.plan.holds?.keepsVcpu === true) await partVcpus(session);
  if (session.plan.config.virtioMem.length === 0) return DONE;
  await session.guest.loadModules(["virtio_mem"]);
  for (const { id } of session.plan.config.virtioMem) await driverSettled(session, id);
  return DONE;
};

/**
 * Whoever is held on a vCPU keeps its interrupts waiting, and workers that they would wake: users get the last vCPU, and
 * interrupts the first, those too of drivers that are loaded from now on.
 */
const partVcpus = async (session: LabSession): Promise<void> => {
  const last = 2 ** (session.plan.config.vcpus - 1);
  const script = [
    `taskset -p ${last.toString(16)} $PPID >/dev/null`,
    "for irq in /proc/irq/default_smp_affinity /proc/irq/*/smp_affinity; do echo 1 >$irq; done 2>/dev/null",
    "true",
  ];
  await session.guest.agent.output(script.join("\n"));
};

/** The virtio-mem driver has done what it does about a device's size. */
const driverSettled = (session: LabSession, id: string, asked: Asked = session): Promise<void> =>
  deviceSettled(asked, id, async (): Promise<DeviceSizes> => {
    await session.devices.sync();
    const device = session.td.td.machine.vmm.devices.find((each) => each.id === id);
    assert(device !== undefined, () => `${id} is a virtio-mem device`);
    const { addr, regionSize, requestedSize, pluggedSize, blockSize } = device;
    const isStuck = [...session.unanswered].some((at) => addr <= at && at < addr + regionSize);
    return { requestedSize, pluggedSize, blockSize, isStuck };
  });

/**
 * Does one action, and waits for what follows from it.
 *
 * @param asked the guest, asked what it shows
 */
export const performAction = (
  session: LabSession,
  action: Action,
  asked: Asked = session,
): Promise<Outcome> => guarded(session, () => act(session, action, asked));

const act = async (session: LabSession, action: Action, asked: Asked): Promise<Outcome> => {
  switch (action.kind) {
    case "plug":
      return plug(session, action, asked);
    case "unplug":
      return unplug(session, action, asked);
    case "resize":
      return resize(session, action, asked);
    case "allocate":
      return allocate(session, action);
    case "free":
      await session.guest.free(action.name);
      return DONE;
    case "touch":
      return touch(session, action);
    case "read":
      await readAcross(session, action.across);
      return DONE;
    case "pressure":
      return pressure(session, action);
    case "online":
    case "offline":
      return storeBlocks(session, action);
    case "parallel":
      return parallel(session, action);
    case "kexec":
      if (isAnotherKernel(action)) throw new NotModelled("a kexec into another kernel in the linux world");
      return startAnother(session);
    case "crash":
      return crash(session);
    default:
      throw new NotModelled(`the step "${action.kind}" in the linux world`);
  }
};

const isAnotherKernel = ({ kernel, revert, design, image, syscall }: Act<"kexec">): boolean =>
  (kernel ?? revert ?? design) !== null || image !== "bzImage" || syscall !== "kexec_file_load";

/** A DIMM in our VMM. @throws VmmError if it refuses; it is as before then */
const plugInModel = ({ td }: LabSession, { dimm, size, slot, node, addr }: Act<"plug">): void => {
  const { vmm } = td.td.machine;
  const place = { ...(slot === null ? {} : { slot }), ...(addr === null ? {} : { addr }) };
  const isNew = vmm.backend(dimm) === undefined;
  if (isNew) vmm.addBackend(dimm, size);
  try {
    plugDimm(vmm, { memdev: dimm, node, ...place }, true);
  } catch (error) {
    if (isNew) vmm.deleteBackend(dimm);
    throw error;
  }
};

/** A DIMM is gone: what our VMM and the secure EPT had of it goes too. @returns where it lay */
const removeFromModel = ({ td }: LabSession, dimm: string, slot: number): Span => {
  const { machine } = td.td;
  const area = machine.vmm.areaOfSlot(slot);
  const span = { start: machine.vmm.map.start(area) * PAGE_SIZE, end: machine.vmm.map.end(area) * PAGE_SIZE };
  machine.vmm.dimms.setEjecting(slot, true);
  machine.runVmm(machine.tasks.ejectLoop, handleEject);
  td.td.settle();
  machine.vmm.deleteBackend(dimm);
  return span;
};

const plug = async (session: LabSession, step: Act<"plug">, asked: Asked): Promise<Outcome> => {
  const { dimm, size, slot, node, addr } = step;
  const { qmp, files } = session.qemu;
  const memdev = `${dimm}-mem`;
  // Our VMM first: the guest may use the memory before QEMU's answer is here.
  plugInModel(session, step);
  const undo = new Cleanup();
  undo.add(() => void removeFromModel(session, dimm, slotOf(session, dimm)));
  // QEMU makes the file and leaves it behind.
  undo.add(() => rmSync(files.ram(memdev), { force: true }));
  try {
    const backend = {
      "qom-type": "memory-backend-file",
      id: memdev,
      size,
      "mem-path": files.ram(memdev),
      share: true,
    };
    await qmp.executeAny("object-add", backend);
    undo.add(() => qmp.execute("object-del", { id: memdev }).then(() => {}));
    const start = session.dimmAddress(dimm);
    session.addMemory(dimm, start, size);
    undo.add(() => session.qemu.ram.remove(start));
    const taken = dimmTaken(asked, dimm);
    const place = { ...(slot === null ? {} : { slot }), ...(addr === null ? {} : { addr }) };
    await qmp.executeAny("device_add", { driver: "pc-dimm", id: dimm, memdev, node, ...place });
    await taken();
    return DONE;
  } catch (error) {
    if (error instanceof QmpRefused) await undo.run();
    throw error;
  }
};

const slotOf = (session: LabSession, dimm: string): number => {
  const { vmm } = session.td.td.machine;
  const piece = vmm.backend(dimm);
  for (let slot = 0; slot < vmm.dimms.count; slot++)
    if (vmm.dimms.isPlugged(slot) && vmm.dimms.piece(slot) === piece) return slot;
  return -1;
};

const unplug = async (session: LabSession, { dimm }: Act<"unplug">, asked: Asked): Promise<Outcome> => {
  const gone = dimmGone(asked, dimm, () => takeAway(session, dimm));
  await session.qemu.qmp.execute("device_del", { id: dimm });
  requestUnplugDimm(session.td.td.machine.vmm, slotOf(session, dimm));
  await gone();
  return DONE;
};

/** QEMU has let a DIMM go. No-op if it was taken away already: who asked twice is told twice. */
const takeAway = async (session: LabSession, dimm: string): Promise<void> => {
  const slot = slotOf(session, dimm);
  if (slot < 0) return;
  const { start, end } = removeFromModel(session, dimm, slot);
  session.qemu.ram.remove(start);
  session.td.content.discarded(start, end);
  if (session.plan.enforcement === "exact") await session.td.watch.forbid(start, end);
  const memdev = `${dimm}-mem`;
  await session.qemu.qmp.execute("object-del", { id: memdev });
  // A DIMM that comes again is another one, of any size and without content.
  rmSync(session.qemu.files.ram(memdev), { force: true });
};

const resize = async (session: LabSession, { device, to }: Act<"resize">, asked: Asked): Promise<Outcome> => {
  const { vmm } = session.td.td.machine;
  const index = vmm.devices.findIndex(({ id }) => id === device);
  const before = vmm.devices[index]?.requestedSize ?? 0;
  vmm.setRequestedSize(index, to);
  const path = `/machine/peripheral/${device}`;
  try {
    await session.qemu.qmp.executeAny("qom-set", { path, property: "requested-size", value: to });
  } catch (error) {
    vmm.setRequestedSize(index, before);
    throw error;
  }
  await driverSettled(session, device, asked);
  return DONE;
};

const allocate = async (session: LabSession, step: Act<"allocate">): Promise<Outcome> => {
  if (step.order !== null) throw new NotModelled("an allocation of one order in the linux world");
  if (step.interrupt) throw new NotModelled("allocations by handlers of interrupts in the linux world");
  if (!step.movable) throw new NotModelled("an allocation of unmovable memory in the linux world");
  const node = step.node === null ? {} : { node: step.node };
  await session.guest.fill(step.name, Math.ceil(step.size / MIB), { ...node, beyondAvailable: true });
  return DONE;
};

const touch = async (session: LabSession, { target, size, access }: Act<"touch">): Promise<Outcome> => {
  if (target.kind !== "name")
    return accessMemory(session, { start: target.gpa, end: target.gpa + (size ?? 1) }, access);
  await session.guest.touch(target.name, access, size === null ? undefined : Math.ceil(size / MIB));
  return DONE;
};

const pressure = async (session: LabSession, { leave }: Act<"pressure">): Promise<Outcome> => {
  const { meminfo } = await session.guest.snapshot();
  const free = (meminfo.get("MemFree") ?? 0) * KIB;
  const mib = Math.floor((free - leave) / MIB);
  if (mib > 0) await session.guest.fill(`pressure-${leave}`, mib, { beyondAvailable: true });
  return DONE;
};

const storeBlocks = async (session: LabSession, step: Act<"online"> | Act<"offline">): Promise<Outcome> => {
  const state: OnlineKind | "offline" = step.kind === "online" ? step.as : "offline";
  let outcome = DONE;
  for (let block = step.blocks.first; block <= step.blocks.last; block++) {
    const one = await guarded(session, async () => {
      await session.guest.setBlock(block, state);
      return DONE;
    });
    if (outcome === DONE) outcome = one;
  }
  return outcome;
};

const parallel = async (session: LabSession, { actions }: Act<"parallel">): Promise<Outcome> => {
  const outcomes = await Promise.all(actions.map((action) => performAction(session, action)));
  return outcomes.find(({ status }) => status !== SUCCESS) ?? DONE;
};
