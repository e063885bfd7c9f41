import { VIRTIO_MEM_REQUEST, virtioMemRequestName } from "../../abi/virtio-mem/request.ts";
import { virtioMemResponseName } from "../../abi/virtio-mem/response.ts";
import { NO_REPLY } from "../../vmm/virtio-mem-device.ts";
import type { TrustDomain } from "../td/trust-domain.ts";
import type { AnsweredRequest } from "./device-log.ts";

const { UNPLUG_ALL } = VIRTIO_MEM_REQUEST;
const hex = (n: number): string => `0x${n.toString(16)}`;

/** Our VMM's virtio-mem devices, which do what QEMU's did: what is plugged, and what the secure EPT loses by it. */
export class DeviceMirror {
  /** Where QEMU answered otherwise than our device, a line each. */
  readonly disagreements: string[] = [];
  /** Devices whose UNPLUG_ALLs are on their way, in their order: the trace does not name them. */
  private readonly meant: number[] = [];
  private readonly td: TrustDomain;

  constructor(td: TrustDomain) {
    this.td = td;
  }

  /**
   * @returns the request; UNPLUG_ALL with the address of its device, if that is known
   * @throws TdEnded if the VMM's policy ends the TD for it
   */
  apply(request: AnsweredRequest): AnsweredRequest {
    const { devices } = this.td.machine.vmm;
    if (request.type !== UNPLUG_ALL) {
      const device = this.deviceAt(request.addr);
      if (device >= 0) this.play(device, request);
      return request;
    }
    const named = this.meant.shift() ?? (devices.length === 1 ? 0 : -1);
    for (const device of named < 0 ? this.plugged() : [named]) this.play(device, request);
    return named < 0 ? request : { ...request, addr: devices[named]!.addr };
  }

  /** The driver of a device is about to send UNPLUG_ALL. */
  expectUnplugAll(device: number): void {
    this.meant.push(device);
  }

  /** Address of the device that the UNPLUG_ALL is for which is about to be sent; 0 if there are none. */
  get unpluggedNext(): number {
    const { devices } = this.td.machine.vmm;
    return devices[this.meant.at(-1) ?? 0]?.addr ?? 0;
  }

  /**
   * A request that the guest's driver is about to send: our device gets it first if a fault is meant for it.
   *
   * @param request UNPLUG_ALL has its device's address
   * @returns the response that a fault gives, NO_REPLY for none at all; undefined if none strikes, or our device refuses
   *   for a reason of its own: then QEMU's has to be asked
   */
  struck({ type, addr, blocks }: Omit<AnsweredRequest, "response">): number | undefined {
    const { machine } = this.td;
    const device = this.deviceAt(addr);
    if (device < 0 || machine.injector === undefined) return undefined;
    const { points } = machine.injector;
    const strikes = (): number => points.struck.reduce((sum, count) => sum + count, 0);
    const before = strikes();
    const { blockSize, injection } = machine.vmm.devices[device]!;
    const first = type === UNPLUG_ALL ? 0 : addr;
    machine.injector.request(device, type, first, blocks * blockSize);
    if (injection.isEmpty) return undefined;
    const mailbox = machine.vmm.mailboxes[device]!;
    mailbox.send(type, first, blocks);
    machine.requested(device, 0);
    this.td.settle();
    if (strikes() === before) return undefined;
    // QEMU will not be asked.
    if (type === UNPLUG_ALL) this.meant.pop();
    const answer = mailbox.response();
    return answer < 0 ? NO_REPLY : answer & 0xff;
  }

  private play(device: number, { type, addr, blocks, response }: AnsweredRequest): void {
    const { machine } = this.td;
    const mailbox = machine.vmm.mailboxes[device]!;
    mailbox.send(type, addr, blocks);
    machine.requested(device, 0);
    this.td.settle();
    const answer = mailbox.response();
    if (answer >= 0 && (answer & 0xff) === response) return;
    const ours = answer < 0 ? "no answer" : virtioMemResponseName(answer & 0xff);
    this.disagreements.push(
      `${mailbox.name}: ${virtioMemRequestName(type)} of ${blocks} blocks at ${hex(addr)}: QEMU answers ` +
        `${virtioMemResponseName(response)}, the model ${ours}`,
    );
  }

  /** Devices with memory plugged, where nobody has told whose an UNPLUG_ALL is. */
  private plugged(): number[] {
    const { devices } = this.td.machine.vmm;
    const some = devices.flatMap((device, index) => (device.pluggedSize > 0 ? [index] : []));
    return some.length > 0 || devices.length === 0 ? some : [0];
  }

  private deviceAt(addr: number): number {
    return this.td.machine.vmm.devices.findIndex(
      (device) => device.addr <= addr && addr < device.addr + device.regionSize,
    );
  }
}
