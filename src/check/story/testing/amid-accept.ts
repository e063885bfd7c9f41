import type { MachineConfiguration } from "../../machine/configurations/configuration.ts";
import { standardConfiguration } from "../../machine/configurations/standard-configurations.ts";
import { MachineSystem } from "../../machine/system.ts";

/** The driver may unplug a block that lies above one in which a user takes memory. */
export const MACHINE: MachineConfiguration = {
  ...standardConfiguration("accept-below-offline", "bitmaps")!,
  rules: ["I2"],
};
const machine = new MachineSystem(MACHINE);
const [worker, user] = [machine.machine.tasks.workers[0]!, machine.machine.tasks.users[1]!];
const loop = machine.machine.tasks.deviceLoops[0]!;

/** A way through the machine: whoever is named takes steps until something is so. One at a time. */
export class Way {
  readonly path: number[] = [];
  /** What the last step came to. */
  result = 0;

  constructor() {
    machine.reset();
  }

  until(who: RegExp, isSo: () => boolean): this {
    while (!isSo()) this.step(who);
    return this;
  }

  step(who: RegExp): this {
    const labels = Array.from({ length: machine.choices() }, (_, choice) => machine.label(choice));
    const choice = labels.findIndex((label) => who.test(label));
    if (choice < 0) throw new Error(`nobody called ${who} can go: ${labels.join(", ")}`);
    this.path.push(choice);
    this.result = machine.choose(choice);
    return this;
  }
}

/** The driver is about to ask its device. */
export const asked = (): Way =>
  new Way()
    .step(/^operator/)
    .until(/^virtio-mem/, () => worker.frame.where === "virtio_mem_send_request:send");
/** The user has looked at the bits, and has made no TDCALL. */
export const isAccepting = (): boolean => user.frame.where === "tdx_accept_memory:page";
/** The device has done what it was asked, and the driver does not know. */
export const isSettled = (): boolean => loop.frame.where === "answer a virtio-mem request:settled";
