import type { KernelImage } from "./kernel-image.ts";
import { instructionSites, TDCALL_FUNCTIONS } from "./sites.ts";

/** What a kernel must have for a purpose, and the option that gives it. */
interface Need {
  readonly symbols: readonly string[];
  readonly option: string;
  /** First release that has the option at all. */
  readonly since: string;
}

/** What it takes to boot as a TDX guest with unaccepted memory. Without one of these the linux world cannot run. */
const GUEST: readonly Need[] = [
  { symbols: ["tdx_early_init"], option: "CONFIG_INTEL_TDX_GUEST", since: "5.19" },
  {
    symbols: ["accept_memory", "range_contains_unaccepted_memory", "tdx_accept_memory"],
    option: "CONFIG_UNACCEPTED_MEMORY",
    since: "6.5",
  },
  { symbols: ["efi_enter_virtual_mode"], option: "CONFIG_EFI", since: "2.6" },
];

/** What single experiments take. */
const EXTRA = {
  "TDCALLs without breakpoints": [
    { symbols: TDCALL_FUNCTIONS, option: "CONFIG_INTEL_TDX_GUEST", since: "6.7" },
  ],
  "memory hotplug": [{ symbols: ["add_memory_resource"], option: "CONFIG_MEMORY_HOTPLUG", since: "2.6" }],
  "memory unplug": [{ symbols: ["try_remove_memory"], option: "CONFIG_MEMORY_HOTREMOVE", since: "2.6" }],
  DIMMs: [{ symbols: ["acpi_memory_device_add"], option: "CONFIG_ACPI_HOTPLUG_MEMORY", since: "2.6" }],
  kexec: [{ symbols: ["machine_kexec"], option: "CONFIG_KEXEC_CORE", since: "2.6" }],
  kdump: [{ symbols: ["crash_kexec", "elfcorehdr_addr"], option: "CONFIG_CRASH_DUMP", since: "2.6" }],
  "structure layouts": [{ symbols: ["__start_BTF"], option: "CONFIG_DEBUG_INFO_BTF", since: "5.2" }],
  backtraces: [{ symbols: ["__start_orc_unwind"], option: "CONFIG_UNWINDER_ORC", since: "4.14" }],
} as const satisfies Record<string, readonly Need[]>;
export type Purpose = keyof typeof EXTRA;

export interface Missing {
  readonly symbols: readonly string[];
  readonly option: string;
  readonly since: string;
}

export interface Judgement {
  /** True if the image can run as a TDX guest with unaccepted memory. */
  readonly ok: boolean;
  /** Why not; empty if `ok`. */
  readonly missing: readonly Missing[];
  /** What the image lacks for single experiments. */
  readonly without: ReadonlyMap<Purpose, readonly Missing[]>;
  /** One line for a user. */
  readonly line: string;
}

const absent = ({ symbols }: KernelImage, needs: readonly Need[]): Missing[] =>
  needs
    .map((need) => ({
      ...need,
      symbols: need.symbols.filter((name) => symbols.addressOf(name) === undefined),
    }))
    .filter((need) => need.symbols.length > 0);

const lineOf = (release: string, missing: readonly Missing[]): string => {
  if (missing.length === 0) return `Linux ${release} can run as a TDX guest with unaccepted memory`;
  const reasons = missing.map(
    ({ symbols, option, since }) => `no ${symbols.join(", ")} (${option}, Linux ${since} or newer)`,
  );
  return `Linux ${release} cannot run as a TDX guest with unaccepted memory: it has ${reasons.join("; ")}`;
};

const PURPOSES = Object.keys(EXTRA) as Purpose[];

/** Judges by its symbols, before any boot, what an image can be used for. */
export const judgeKernel = (image: KernelImage): Judgement => {
  const missing = absent(image, GUEST);
  if (missing.length === 0 && instructionSites(image.elf, image.symbols, "TDCALL").length === 0)
    missing.push({ symbols: ["TDCALL instruction"], option: "CONFIG_INTEL_TDX_GUEST", since: "5.19" });
  const without = new Map<Purpose, readonly Missing[]>();
  for (const purpose of PURPOSES) {
    const lacks = absent(image, EXTRA[purpose]);
    if (lacks.length > 0) without.set(purpose, lacks);
  }
  return { ok: missing.length === 0, missing, without, line: lineOf(image.release, missing) };
};
