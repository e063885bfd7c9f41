import { VIRTIO_MEM_REQUEST, virtioMemRequestName } from "../../abi/virtio-mem/request.ts";
import { virtioMemResponseName } from "../../abi/virtio-mem/response.ts";
import type { TrustDomain } from "../td/trust-domain.ts";
import type { AnsweredRequest } from "./device-log.ts";

const { UNPLUG_ALL } = VIRTIO_MEM_REQUEST;
const hex = (n: number): string => `0x${n.toString(16)}`;

/** Our VMM's virtio-mem devices, which do what QEMU's did: what is plugged, and what the secure EPT loses by it. */
export class DeviceMirror {
  /** Where QEMU answered otherwise than our device, a line each. */
  readonly disagreements: string[] = [];
  private readonly td: TrustDomain;

  constructor(td: TrustDomain) {
    this.td = td;
  }

  /** @throws TdEnded if the VMM's policy ends the TD for it */
  apply(request: AnsweredRequest): void {
    const devices = request.type === UNPLUG_ALL ? this.plugged() : [this.deviceAt(request.addr)];
    for (const device of devices) if (device >= 0) this.play(device, request);
  }

  /**
   * A request that the guest's driver is about to send: our device gets it first if a fault is meant for it.
   *
   * @returns the response that a fault gives; undefined if none strikes, or our device refuses for a reason of its own:
   *   then QEMU's has to be asked
   */
  struck({ type, addr, blocks }: Omit<AnsweredRequest, "response">): number | undefined {
    const { machine } = this.td;
    const device = type === UNPLUG_ALL ? 0 : this.deviceAt(addr);
    if (device < 0 || machine.injector === undefined) return undefined;
    const { points } = machine.injector;
    const strikes = (): number => points.struck.reduce((sum, count) => sum + count, 0);
    const before = strikes();
    const { blockSize, injection } = machine.vmm.devices[device]!;
    machine.injector.request(device, type, addr, blocks * blockSize);
    if (injection.isEmpty) return undefined;
    const mailbox = machine.vmm.mailboxes[device]!;
    mailbox.send(type, addr, blocks);
    machine.requested(device, 0);
    this.td.settle();
    return strikes() > before ? mailbox.response() & 0xff : undefined;
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

  /** Devices with memory plugged: the trace does not name the device of an UNPLUG_ALL. */
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
