import { type Outcome, SUCCESS } from "../../scenario/world.ts";
import type { AutoOnline, KexecImage } from "../agent/guest.ts";
import type { LabSession } from "../session/lab-session.ts";
import { KEXEC_FILES } from "../session/lab-tools.ts";
import { furnish } from "./linux-actions.ts";

/**
 * What a crash kernel is told: one CPU, devices that nobody shut down, and no DIMMs of the kernel that crashed for its own
 * memory.
 *
 * @source Linux Documentation/admin-guide/kernel-parameters.txt, acpi_no_memhotplug; kdump-utils, KDUMP_COMMANDLINE_APPEND
 */
const CRASH_OPTIONS = "nr_cpus=1 reset_devices acpi_no_memhotplug";

/** Memory that a kernel keeps for the crash kernel: what a 6.12 with a small initramfs needs. */
export const CRASH_MEMORY = "crashkernel=256M";

const AUTO_ONLINE = "/sys/devices/system/memory/auto_online_blocks";
const text = new TextDecoder();

/** The kernel in the initramfs, with a command line. */
const imageOf = (commandLine: string, onCrash: boolean): KexecImage => ({
  kernel: `/${KEXEC_FILES.kernel}`,
  initrd: `/${KEXEC_FILES.initrd}`,
  commandLine,
  onCrash,
});

/** Has the kernel start itself anew, and makes that as the one before was. */
export const startAnother = async (session: LabSession): Promise<Outcome> => {
  const { guest } = session;
  const autoOnline = text.decode(await guest.agent.readFile(AUTO_ONLINE)).trim();
  await guest.kexecLoad(imageOf(await guest.commandLine(), false));
  await guest.kexecStart();
  return furnish(session, autoOnline as AutoOnline);
};

/** Has the kernel panic, and the crash kernel read the memory that it left. */
export const crash = async (session: LabSession): Promise<Outcome> => {
  const { guest } = session;
  const line = (await guest.commandLine()).replace(CRASH_MEMORY, "").trim();
  await guest.kexecLoad(imageOf(`${line} ${CRASH_OPTIONS}`, true));
  await guest.crash();
  // Its driver says which of the device's memory is plugged, so that nobody reads the rest.
  if (session.plan.config.virtioMem.length > 0) await guest.loadModules(["virtio_mem"]);
  const read = await guest.agent.output("dd if=/proc/vmcore of=/dev/null bs=1M 2>&1 | tail -n 1");
  return { status: SUCCESS, detail: `/proc/vmcore: ${read.trim()}` };
};
