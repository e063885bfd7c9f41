import { NotModelled } from "../../not-modelled.ts";
import type { AddressRange } from "../../scenario/scenario.ts";
import { type Outcome, SUCCESS } from "../../scenario/world.ts";
import { LabError } from "../lab-error.ts";
import type { LabSession } from "../session/lab-session.ts";

/** A system call that every shell makes when it starts, and whose result does no harm. */
const DETOUR = "__x64_sys_getppid";
const START_A_SHELL = "sh -c :";

/** Functions of the kernel that access memory, and the arguments with which they do no more than that. */
const READ = "memcmp"; // with itself
const WRITE = "memmove"; // onto itself
/** Reads words by load_unaligned_zeropad(): of a name of 4 bytes, the 8 that begin there. */
const READ_WORD = "full_name_hash";
const HALF_A_WORD = 4;

const running = ({ plan, td }: LabSession, name: string): bigint => {
  const address = plan.kernel.symbol(name);
  if (address !== undefined) return address + td.place.slide;
  throw new LabError(
    `kernel ${plan.kernel.release}: expected a function ${name}, found none; give another kernel`,
  );
};

/**
 * Has the guest's kernel call one of its own functions, in a process that makes a system call: the CPU is led there
 * instead of into the system call, and comes back as if from it. Nothing of the kernel is changed.
 *
 * @param args of the function, by the start of the kernel's direct mapping of memory
 */
const callInKernel = async (
  session: LabSession,
  name: string,
  args: (direct: bigint) => readonly [bigint, bigint, bigint],
): Promise<void> => {
  const { control } = session.td;
  const [detour, target] = [running(session, DETOUR), running(session, name)];
  const variable = running(session, "page_offset_base");
  let called = false;
  await control.whileStopped(() =>
    control.hook(
      detour,
      async ({ gdb }) => {
        called = true;
        const bytes = await gdb.readMemory(variable, 8);
        const direct = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
        const [rdi, rsi, rdx] = args(direct);
        return { rdi, rsi, rdx, rip: target };
      },
      true,
    ),
  );
  await session.guest.agent.output(START_A_SHELL);
  if (!called) throw new LabError(`the guest's shell made no system call ${DETOUR}`);
};

const RESOURCE = /^([0-9a-f]+)-([0-9a-f]+) : (.+)$/;
const READ_ONLY: readonly string[] = ["Kernel code", "Kernel rodata"];

interface Resource extends AddressRange {
  readonly name: string;
}

const resourcesOf = async ({ guest }: LabSession): Promise<Resource[]> => {
  const text = new TextDecoder().decode(await guest.agent.readFile("/proc/iomem"));
  return text.split("\n").flatMap((line): Resource[] => {
    const [, first, last, name] = RESOURCE.exec(line.trim()) ?? [];
    if (first === undefined) return [];
    return [{ start: Number.parseInt(first, 16), end: Number.parseInt(last!, 16) + 1, name: name! }];
  });
};

/** Whether the kernel maps all of a range: boot memory, and what was added, online or not. */
const isMapped = (resources: readonly Resource[], { start, end }: AddressRange): boolean => {
  let at = start;
  for (const resource of resources)
    if (resource.name === "System RAM" && resource.start <= at && at < resource.end) at = resource.end;
  return at >= end;
};

/** KASLR may put the kernel where the scenario means other memory: an oops of ours would tell nothing of that. */
const refused = ({ start }: AddressRange, { name }: Resource): Outcome => ({
  status: "-EACCES",
  detail: `0x${start.toString(16)} is ${name}, which the kernel has mapped read-only: touch it with kind: read, or keep the kernel low with --append nokaslr`,
});

/**
 * Has the kernel read or write a range of guest-physical memory through its direct mapping. What it writes is what is
 * there.
 *
 * @throws NotModelled for memory that this kernel has not mapped: it would die of the access, not of what backs it
 */
export const accessMemory = async (
  session: LabSession,
  range: AddressRange,
  access: "read" | "write",
): Promise<Outcome> => {
  const resources = await resourcesOf(session);
  if (!isMapped(resources, range))
    throw new NotModelled(
      `an access to 0x${range.start.toString(16)} in the linux world: the kernel has no System RAM there`,
    );
  const sealed = resources.find(
    ({ name, start, end }) => READ_ONLY.includes(name) && start < range.end && range.start < end,
  );
  if (access === "write" && sealed !== undefined) return refused(range, sealed);
  await callInKernel(session, access === "read" ? READ : WRITE, (direct) => {
    const address = direct + BigInt(range.start);
    return [address, address, BigInt(range.end - range.start)];
  });
  return { status: SUCCESS, detail: "" };
};

/** Has the kernel read a word that begins in the page before `boundary` and ends behind it, as it hashes a name. */
export const readAcross = (session: LabSession, boundary: number): Promise<void> =>
  callInKernel(session, READ_WORD, (direct) => [
    0n,
    direct + BigInt(boundary - HALF_A_WORD),
    BigInt(HALF_A_WORD),
  ]);
