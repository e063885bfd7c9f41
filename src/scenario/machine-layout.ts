import { GIB } from "../units.ts";
import { explicitLayout, type GuestLayout, q35Layout } from "../vmm/layout.ts";
import { ADDRESS_LIMIT } from "./quantity.ts";
import type { MachineSpec } from "./scenario.ts";

/** Where the machine's memory lies. @throws VmmError for what no VMM would start */
export const layoutOf = (machine: MachineSpec): GuestLayout => {
  const { memory, slots, maxmem, layout } = machine;
  if (layout === "q35") return q35Layout({ memory, slots, maxmem, addressLimit: ADDRESS_LIMIT });
  const ram = layout.map(({ start, end }) => ({ start, size: end - start }));
  const end = Math.ceil(Math.max(...layout.map((range) => range.end)) / GIB) * GIB;
  const size = maxmem - memory + slots * GIB;
  return explicitLayout({
    ram,
    slots,
    maxmem,
    addressLimit: ADDRESS_LIMIT,
    ...(maxmem > memory ? { deviceMemory: { start: end, size } } : {}),
  });
};
