import { none } from "../src/designs/none.ts";
import { VARIANTS } from "../src/linux/variant.ts";
import { boot } from "../src/machine/boot.ts";
import { Machine } from "../src/machine/machine.ts";
import { GIB, gpa, PIB } from "../src/units.ts";
import { explicitLayout } from "../src/vmm/layout.ts";
import { figure, heading, seconds } from "./stopwatch.ts";

/** RAM at both ends of the address space, all of it above 4 GiB unaccepted. */
const HIGH = 4 * PIB - 2 * GIB;

heading("boot of a 4 PiB address space with a hole in the middle");
const layout = explicitLayout({
  ram: [
    { start: 0, size: 2 * GIB },
    { start: 4 * GIB, size: 2 * GIB },
    { start: HIGH, size: 2 * GIB },
  ],
  addressLimit: 4 * PIB,
});
let machine: Machine | undefined;
const time = seconds(() => {
  machine = new Machine({
    layout,
    nodes: 1,
    vcpus: 2,
    virtioMem: [],
    dimms: [],
    unaccepted: [
      { start: gpa(4 * GIB), size: 2 * GIB },
      { start: gpa(HIGH), size: 2 * GIB },
    ],
    efiMemoryMap: [],
    policy: {},
    pageRelease: false,
    variant: VARIANTS["7.3"],
    options: {
      accept: "lazy",
      memmapOnMemory: false,
      autoOnline: "offline",
      unplugOnline: true,
      forceBbm: false,
      bbmBlockSize: 0,
    },
    design: none,
    seed: 1,
  });
  const { booted, why } = boot(machine);
  if (!booted) throw new Error(why);
});
// From 4 GiB to 4 PiB, a bit for 2 MiB.
const bytes = (4 * PIB - 4 * GIB) / 2 ** 21 / 8;
if (machine!.kernel.table!.sizeBytes !== bytes)
  throw new Error(`a bitmap of ${machine!.kernel.table!.sizeBytes} bytes`);
figure("bitmap", `${bytes} bytes`, "256 MiB less what lies below 4 GiB");
figure("build and boot", `${time.toFixed(2)} s`, "goal: 2 s");
figure(
  "peak memory of the process",
  `${Math.round(process.resourceUsage().maxRSS / 1024)} MiB`,
  "goal: 400 MiB",
);
