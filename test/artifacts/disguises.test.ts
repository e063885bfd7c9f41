import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { describe, expect, it } from "vitest";
import { factsIn } from "../../src/artifacts/testing/read-artifact.ts";
import { sharedFiles } from "../shared-data.ts";

const ESC = "\u001b";
const STAMP = /^\[ *[\d.]+\] ?/;

/** A line as a mailer of so many columns wraps it: a space becomes the end of a line. */
const mailed = (line: string, columns: number, mark = ""): string => {
  const pieces: string[] = [];
  let rest = line;
  while (rest.length > columns) {
    const before = rest.lastIndexOf(" ", columns);
    const cut = before > 0 ? before : rest.indexOf(" ", columns);
    if (cut < 0 || rest.slice(0, cut).trim() === "") break;
    pieces.push(rest.slice(0, cut));
    rest = rest.slice(cut + 1);
  }
  return [...pieces, rest].map((piece) => mark + piece).join("\n");
};

/** How people, loggers and mailers pass a log on, line by line. */
const DISGUISES: readonly (readonly [name: string, disguise: (line: string, index: number) => string])[] = [
  ["quoted", (line) => `> ${line}`],
  ["quoted twice", (line) => `>> ${line}`],
  ["wrapped at 72 columns", (line) => mailed(line, 72)],
  ["wrapped at 78 columns", (line) => mailed(line, 78)],
  ["quoted and wrapped", (line) => mailed(line, 70, "> ")],
  ["by syslog", (line) => `Nov 20 10:11:12 host-1 kernel: ${line}`],
  ["by rsyslog", (line) => `2026-11-20T10:11:12.123456+01:00 host-1 kernel: ${line}`],
  ["by syslog's protocol", (line) => `<6>1 2026-11-20T10:11:12.123456+01:00 host-1 kernel - - - ${line}`],
  ["with levels", (line) => `<6>${line}`],
  ["by a test robot", (line) => `kern  :info  : ${line}`],
  ["by dmesg -T", (line) => line.replace(STAMP, "[Fri Nov 20 10:11:12 2026] ")],
  ["by dmesg -H", (line) => line.replace(STAMP, "[Nov20 10:11] ")],
  ["by dmesg --reltime", (line) => line.replace(STAMP, "[  +0.000123] ")],
  ["by dmesg --time-format iso", (line) => line.replace(STAMP, "2026-11-20T10:11:12,123456+01:00 ")],
  ["of /dev/kmsg", (line) => `6,339,5140900,-;${line.replace(STAMP, "")}`],
  ["with the number of the task", (line) => line.replace(STAMP, "$&[    T1] ")],
  ["without stamps", (line) => line.replace(STAMP, "")],
  ["with line ends of another system", (line) => `${line}\r`],
  ["of a serial console", (line) => `${line}\r\r`],
  [
    "in colour",
    (line) => line.replace(/^(\[ *[\d.]+\]) ([^:]+): /, `${ESC}[32m$1 ${ESC}[0m${ESC}[33m$2${ESC}[0m: `),
  ],
  ["with a terminal's settings", (line) => `${ESC}]0;title\u0007${ESC}(B${ESC}[m${line}`],
  ["with spaces that do not break", (line) => line.replaceAll(" ", "\u00a0")],
  ["numbered by grep", (line, index) => `dmesg.txt:${index}:${line}`],
  ["of a guest's console", (line) => `(d1) ${line}`],
];

/** Facts without what a disguise may take away: columns of white space. */
const said = (text: string): string[] =>
  factsIn(text).map((fact) =>
    JSON.stringify(fact, (_, value) => (typeof value === "bigint" ? `${value}` : value)).replace(/ +/g, " "),
  );

const LOG = `${[
  "Linux version 6.16.3-200.fc42.x86_64 (mockbuild@builder) (gcc (GCC) 15.2.1, GNU ld 2.44) #1 SMP PREEMPT_DYNAMIC",
  "Command line: BOOT_IMAGE=/vmlinuz root=/dev/vda1 console=ttyS0 memhp_default_state=online_movable quiet",
  "tdx: Guest detected",
  "BIOS-e820: [mem 0x0000000000100000-0x000000007e8edfff] usable",
  "BIOS-e820: [mem 0x0000000100000000-0x000000047fffffff] usable",
  "efi: SMBIOS=0x7e9cc000 ACPI=0x7eb7d000 ACPI 2.0=0x7eb7d014 MEMATTR=0x7d9f1018 Unaccepted=0x7c0d4018 MOKvar=0x7e9b5000 ",
  "efi: mem00: [Conventional|   |  |CC|  |  |  |  |  |  |  |   |WB|WT|WC|UC] range=[0x0000000000100000-0x000000007e8edfff] (2023MB)",
  "e820: remove [mem 0x80000000-0x8fffffff] reserved",
  "ACPI: SRAT: Node 0 PXM 0 [mem 0x00100000-0x7fffffff]",
  "ACPI: SRAT: Node 1 PXM 1 [mem 0x480000000-0xc7fffffff] hotplug",
  "SRAT: PXM 0 -> APIC 0x00 -> Node 0",
  "x86/mm: Memory block size: 128MB",
  "Memory Encryption Features active: Intel TDX",
  "efi: EFI runtime memory map:",
  "efi: mem01: [Runtime Data|RUN|  |  |  |  |  |  |  |  |  |   |WB|WT|WC|UC] range=[0x000000007e8ee000-0x000000007eb6dfff] (2MB)",
  "virtio_mem virtio3: start address: 0x480000000",
  "virtio_mem virtio3: region size: 0x800000000",
  "virtio_mem virtio3: nid: 1",
  "memory memory144: Offline failed.",
]
  .map((line, i) => `[    ${i}.000000] ${line}`)
  .join("\n")}\n`;

const disguised = (text: string, disguise: (line: string, index: number) => string): string =>
  text
    .split("\n")
    .map((line, index) => (line === "" ? line : disguise(line, index)))
    .join("\n");

describe("a log says the same however it is passed on", () => {
  const plain = said(LOG);
  it.each(DISGUISES.map(([name, disguise]) => ({ name, disguise })))("$name", ({ disguise }) => {
    expect(said(disguised(LOG, disguise))).toEqual(plain);
  });
  it("as a narrow terminal shows it, which cuts words", () => {
    const folded = LOG.replace(/.{90}(?=.)/g, "$&\n");
    expect(said(folded).map((fact) => fact.replace(/"text":.*/, ""))).toEqual(
      plain.map((fact) => fact.replace(/"text":.*/, "")),
    );
  });
});

/** Whole boot logs with a stamp on each line, and none that is quoted, wrapped or mixed with JSON already. */
const BOOTS = sharedFiles("logs", /brickland|supermicro|ruby|rec-|emr-e820/);

it.skipIf(BOOTS.length === 0)(
  "collected logs say the same however they are passed on (needs the shared files)",
  () => {
    const differ: string[] = [];
    for (const path of BOOTS) {
      const text = readFileSync(path, "latin1").replaceAll("\r", "");
      const plain = said(text).join("\n");
      for (const [name, disguise] of DISGUISES)
        if (said(disguised(text, disguise)).join("\n") !== plain) differ.push(`${basename(path)} ${name}`);
    }
    expect(differ).toEqual([]);
  },
  120_000,
);
