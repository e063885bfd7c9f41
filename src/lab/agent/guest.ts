import { assert } from "../../assert.ts";
import { type Agent, AgentError } from "./agent.ts";
import { type KernelMessage, parseDmesg } from "./readings/dmesg.ts";
import { type KernelSymbol, parseKallsyms } from "./readings/kallsyms.ts";
import { type GuestSnapshot, parseSnapshot } from "./readings/snapshot.ts";
import { parseVirtioMemDriver, type VirtioMemDriver } from "./readings/virtio-mem-driver.ts";
import { parseVmstat } from "./readings/vmstat.ts";

export type OnlineKind = "online" | "online_kernel" | "online_movable";
export type AutoOnline = "offline" | OnlineKind;

/** What a kernel is loaded with for kexec. Paths are the guest's. */
export interface KexecImage {
  readonly kernel: string;
  readonly initrd: string;
  readonly commandLine: string;
  /** Load it as the kernel that runs after a crash; needs crashkernel= on the command line. */
  readonly onCrash?: boolean;
}

export interface FillOptions {
  /** Take the pages from this NUMA node alone. */
  readonly node?: number;
  /** If MemAvailable is less, write as much as there is before failing, rather than nothing. */
  readonly beyondAvailable?: boolean;
  readonly signal?: AbortSignal;
}

const PARAMETERS = "/sys/module/virtio_mem/parameters";
const MEMORY = "/sys/devices/system/memory";
const FILL = "/run/fill";
const AVAILABLE = "sed -n 's/^MemAvailable: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo";
/** What the agent itself needs to go on. */
const RESERVE_MIB = 16;
const MODULES = "/lib/modules";
/** Threads of the kernel that work for one of these queues now. */
const WORKERS = "grep -hs -e '+kacpi' -e '+events_freezable$' /proc/[0-9]*/comm";

/** A word as one argument of a shell command. */
export const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

const checkName = (name: string): void =>
  assert(/^[\w.+-]+$/.test(name) && !name.startsWith("."), () => `"${name}" is a plain name`);

/** What one reads and does in the guest, over its agent. Everything takes an AbortSignal and may throw AgentError. */
export class Guest {
  readonly agent: Agent;
  constructor(agent: Agent) {
    this.agent = agent;
  }

  /** meminfo, nodes, iomem and memory blocks in one round trip. */
  async snapshot(signal?: AbortSignal): Promise<GuestSnapshot> {
    return parseSnapshot(await this.agent.snapshotLines(signal));
  }

  /**
   * Whether a kernel thread works on memory that comes or goes: on an ACPI event, or for a virtio-mem device.
   *
   * @source Linux kernel/workqueue.c, wq_worker_comm: `+` and the queue, while it works for that; virtio_mem.c uses
   *   system_freezable_wq; drivers/acpi/osl.c
   */
  async changesMemory(signal?: AbortSignal): Promise<boolean> {
    const seen = await this.agent.output(`${WORKERS}; true`, signal);
    return seen !== "";
  }

  async vmstat(signal?: AbortSignal): Promise<ReadonlyMap<string, number>> {
    return parseVmstat(await this.#text("/proc/vmstat", signal));
  }

  /** The kernel's log, as far back as its buffer reaches. */
  async dmesg(signal?: AbortSignal): Promise<KernelMessage[]> {
    return parseDmesg(await this.agent.output("dmesg -r", signal));
  }

  /** Where these symbols are; those the kernel does not have are left out. All of them would take half a minute. */
  async kallsyms(names: readonly string[], signal?: AbortSignal): Promise<KernelSymbol[]> {
    for (const name of names) assert(/^[\w.$]+$/.test(name), () => `"${name}" is a symbol`);
    if (names.length === 0) return [];
    const words = names.map((name) => `-e ${quoted(` ${name}`)}`).join(" ");
    const text = await this.agent.output(`grep -F ${words} /proc/kallsyms; true`, signal);
    return parseKallsyms(text).filter(({ name }) => names.includes(name));
  }

  /** The virtio-mem driver; undefined if it is not there. */
  async virtioMem(signal?: AbortSignal): Promise<VirtioMemDriver | undefined> {
    const listing = `cd /sys/bus/virtio/drivers/virtio_mem && ls -1d virtio* ; cd ${PARAMETERS} && grep -H '' *`;
    const { stdout } = await this.agent.run(listing, signal);
    return parseVirtioMemDriver(new TextDecoder().decode(stdout));
  }

  async commandLine(signal?: AbortSignal): Promise<string> {
    return (await this.#text("/proc/cmdline", signal)).trim();
  }

  /**
   * Writes `mib` MiB of memory, every page of it, and keeps them under this name until `free`. They are pages of a
   * tmpfs, which the kernel takes from movable memory if it has any.
   *
   * @throws AgentError if the guest's memory does not suffice; what was written is freed. It stops short of the last
   *   16 MiB: the pages of a tmpfs are not freed by killing anybody, so a kernel that runs out of memory panics
   */
  async fill(name: string, mib: number, options: FillOptions = {}): Promise<void> {
    checkName(name);
    const { node, beyondAvailable = false, signal } = options;
    const folder = node === undefined ? FILL : `${FILL}-node${node}`;
    const mount = `[ -d ${folder} ] || { mkdir ${folder} && mount -t tmpfs -o size=0,mpol=bind:${node} fill ${folder}; } || exit`;
    const file = `${folder}/${name}`;
    const script = [
      node === undefined ? ":" : mount,
      `all=${mib}; a=$(${AVAILABLE}); most=$((a / 1024 - ${RESERVE_MIB})); n=$all`,
      `[ $n -le $most ] || n=${beyondAvailable ? "$most" : "0"}`,
      `[ $n -le 0 ] || dd if=/dev/zero of=${file} bs=1M count=$n 2>&1 || { rm -f ${file}; exit 1; }`,
      `[ $n -eq $all ] || { rm -f ${file}; echo "MemAvailable was $a kB"; exit 1; }`,
    ].join("\n");
    const what = `fill of ${mib} MiB as ${name} in the guest`;
    const { status, stdout } = await this.agent.run(script, signal, what);
    if (status === 0) return;
    const reason = new TextDecoder().decode(stdout).trim().split("\n").at(-1);
    throw new AgentError(`the guest cannot fill ${mib} MiB as ${name}: ${reason}`);
  }

  /** Reads, or writes again, what was filled under this name: its first `mib` MiB, or all of it. */
  async touch(name: string, access: "read" | "write", mib?: number, signal?: AbortSignal): Promise<void> {
    checkName(name);
    const find = `file=$(ls ${FILL}/${name} ${FILL}-node*/${name} 2>/run/agent/ls | head -n 1)`;
    const whole = "count=$(( ($(stat -c %s $file) + 1048575) / 1048576 ))";
    const count = mib === undefined ? whole : `count=${mib}`;
    const ends = access === "read" ? "if=$file of=/dev/null" : "if=/dev/zero of=$file conv=notrunc";
    await this.agent.output(`${find}; ${count}; dd ${ends} bs=1M count=$count 2>&1`, signal);
  }

  /** Gives back what was filled under this name. */
  async free(name: string, signal?: AbortSignal): Promise<void> {
    checkName(name);
    await this.agent.output(`rm ${FILL}/${name} 2>/run/agent/rm || rm ${FILL}-node*/${name}`, signal);
  }

  /**
   * Changes the state of a memory block, and waits until the kernel has done so.
   *
   * @throws AgentError if the kernel refuses; the message has its reason, such as "Device or resource busy"
   */
  async setBlock(index: number, state: OnlineKind | "offline", signal?: AbortSignal): Promise<void> {
    await this.#control(`${MEMORY}/memory${index}/state`, state, signal);
  }

  /** What becomes of memory blocks that are added from now on. */
  async setAutoOnline(policy: AutoOnline, signal?: AbortSignal): Promise<void> {
    await this.#control(`${MEMORY}/auto_online_blocks`, policy, signal);
  }

  /** Drops the page cache, dentries and inodes. What is in a tmpfs stays. */
  async dropCaches(signal?: AbortSignal): Promise<void> {
    await this.agent.output("sync; echo 3 >/proc/sys/vm/drop_caches", signal);
  }

  /**
   * Has a process take and write `mib` MiB of anonymous memory, and end.
   *
   * @returns false if the kernel killed it, as it does when memory runs out
   */
  async pressure(mib: number, signal?: AbortSignal): Promise<boolean> {
    const { status } = await this.agent.run(`dd if=/dev/zero of=/dev/null bs=${mib}M count=1`, signal);
    return status === 0;
  }

  /** Loads modules of the initramfs in this order, by name without ending; one that is loaded already is left so. */
  async loadModules(names: readonly string[], parameters = "", signal?: AbortSignal): Promise<void> {
    for (const name of names) {
      checkName(name);
      const loaded = `[ -d /sys/module/${name.replaceAll("-", "_")} ]`;
      const file = `${MODULES}/${name}.ko`;
      const plain = `if [ -f ${file}.xz ]; then xzcat ${file}.xz; elif [ -f ${file}.gz ]; then zcat ${file}.gz; else cat ${file}; fi`;
      const insert = `(${plain}) >/run/agent/module && insmod /run/agent/module ${parameters}`;
      await this.agent.output(`${loaded} || { ${insert}; }`, signal);
    }
  }

  /** Loads a kernel with kexec_file_load. */
  async kexecLoad(image: KexecImage, signal?: AbortSignal): Promise<void> {
    const words = [image.kernel, image.initrd, image.commandLine].map(quoted).join(" ");
    const { status } = await this.agent.run(`kexec-file ${words} ${image.onCrash ? "2" : "0"}`, signal);
    if (status !== 0)
      throw new AgentError(`kexec_file_load of ${image.kernel} in the guest: errno ${status}`);
  }

  /** Starts the loaded kernel, and waits for the agent that it starts. @returns its boot id */
  async kexecStart(signal?: AbortSignal): Promise<string> {
    const before = this.agent.boot;
    await this.agent.depart("kexec", signal);
    return this.agent.ready(signal, before);
  }

  /** Makes the kernel panic, and waits for the agent that the crash kernel starts. @returns its boot id */
  async crash(signal?: AbortSignal): Promise<string> {
    const before = this.agent.boot;
    // No answer comes: the next greeting refuses the request.
    const trigger = this.#control("/proc/sysrq-trigger", "c", signal).catch(() => {});
    const boot = await this.agent.ready(signal, before);
    await trigger;
    return boot;
  }

  async #text(path: string, signal: AbortSignal | undefined): Promise<string> {
    return new TextDecoder().decode(await this.agent.readFile(path, signal));
  }

  async #control(path: string, value: string, signal: AbortSignal | undefined): Promise<void> {
    await this.agent.writeFile(path, new TextEncoder().encode(value), signal);
  }
}
