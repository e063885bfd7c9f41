import { expect, it } from "vitest";
import type { RunReport } from "../report.ts";
import { MACHINE, playText } from "../testing/play-text.ts";
import type { Screen } from "./paint.ts";
import { renderTerminal } from "./terminal.ts";

const FILE: Screen = { width: 80, colour: false, unicode: true, isTerminal: false };

const report = async (rest: string): Promise<RunReport> => (await playText(MACHINE + rest)).report;

/** The lines of one section, without its title. */
const section = (text: string, title: string): string[] => {
  const lines = text.split("\n");
  const start = lines.indexOf(title) + 1;
  const length = lines.slice(start).findIndex((line) => /^[A-Z/d][A-Za-z/ ]*$/.test(line));
  return lines.slice(start, length < 0 ? undefined : start + length).filter((line) => line !== "");
};

it("begins with the verdict, what broke and what was not met", async () => {
  const text = renderTerminal(
    await report("steps:\n  - boot\n  - touch: {gpa: 6G}\nexpect: {Unaccepted: 0, machine: killed}\n"),
    FILE,
  );
  expect(text.split("\n").slice(0, 6)).toEqual([
    "broken  sample: A sample",
    "model world · design none · kernel 7.3 lazy · seed 1 · 3.164 ms virtual",
    "1 of 2 expectations held · 1 violation · machine killed: EPT violation on a pending page",
    "  I1 broken, line 8, step 14 at 0x180000000-0x180000fff: private access to 0x180000000-0x180000fff that is not accepted",
    "  line 8:5 write 0x180000000: expected SUCCESS, found TD_KILLED (EPT violation on a pending page)",
    "  line 9:10 Unaccepted = 0: expected 0, found 2072576 kB",
  ]);
});

it("shows who did what where and how it ended, one row a run", async () => {
  const text = renderTerminal(
    await report("steps: [boot, {resize: {device: vm0, to: 6M}}, {note: n}]\n"),
    FILE,
  );
  expect(section(text, "Transcript")).toEqual([
    "line 6   boot  3.16 ms",
    "    firmware  hand over                                             SUCCESS",
    "    guest/0   TDG.MEM.PAGE.ACCEPT 2M  ×12  0x100000000-0x1017fffff  SUCCESS  MAPPED",
    "line 6   resize vm0 to 6M  7 ms",
    "    operator  qom-set requested-size                                SUCCESS",
    "    driver/0  virtio-mem PLUG         ×3   0x180000000-0x1805fffff  ACK      KERNEL_PARTIAL",
    "line 6   n",
  ]);
});

it("draws the map before and after, a cell by the share that has the fact", async () => {
  const text = renderTerminal(await report("steps: [boot, {resize: {device: vm0, to: 24M}}]\n"), {
    ...FILE,
    width: 35,
  });
  expect(section(text, "Memory map").slice(-8)).toEqual([
    "vm0 0x180000000-0x1bfffffff",
    "1G, cell 64M",
    "  plugged   before ················",
    "            after  ▃···············",
    "  accepted  both   ················",
    "  online    before ················",
    "            after  ▃···············",
    "  in use    both   ················",
  ]);
});

it("prints counters as the kernel does, with what they were", async () => {
  const text = renderTerminal(await report("steps: [boot, {resize: {device: vm0, to: 6M}}]\n"), FILE);
  expect(section(text, "Counters")).toEqual([
    "  MemTotal:        4134912 kB  was 4128768",
    "  MemFree:         4134912 kB  was 4128768",
    "  Unaccepted:      2078720 kB  was 2072576",
    "  nr_unaccepted 519680  was 518144",
  ]);
  expect(section(text, "Memory blocks")).toEqual([
    "  RANGE                                  SIZE STATE  BLOCK ZONES",
    "  0x0000000000000000-0x000000007fffffff    2G online 0-15  DMA32",
    "  0x0000000100000000-0x0000000187ffffff 2176M online 32-48 Normal",
    "  Memory block size: 128M",
  ]);
  expect(section(text, "Cost")).toEqual([
    "  TDG.MEM.PAGE.ACCEPT  12",
    "  TD exits             17",
    "  virtual time         10.16 ms",
  ]);
});

it("uses colours and more than ASCII only where the screen has them", async () => {
  const played = await report("steps: [boot, {resize: {device: vm0, to: 24M}}]\n");
  expect(renderTerminal(played, FILE)).not.toContain("\u001b");
  expect(renderTerminal(played, { ...FILE, colour: true })).toContain("\u001b[32mheld\u001b[0m");
  const ascii = renderTerminal(played, { ...FILE, unicode: false });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is what ASCII is
  expect(ascii).toMatch(/^[\x00-\x7f]*$/);
  expect(ascii).toContain("x12");
});

it("fits a terminal of 40 columns, but for lines that are quoted", async () => {
  const played = await report(
    "steps:\n  - boot\n  - resize: {device: vm0, to: 600M}\n  - touch: {gpa: 7G}\n  - note: A long note for the reader of a narrow terminal\nexpect: {Unaccepted: 0}\n",
  );
  const text = renderTerminal(played, { ...FILE, width: 40, isTerminal: true });
  const quoted = new Set([...section(text, "/proc/iomem"), ...section(text, "dmesg")]);
  const counters = new Set(section(text, "Counters"));
  const wide = text
    .split("\n")
    .filter((line) => line.length > 40 && !quoted.has(line) && !counters.has(line));
  expect(wide).toEqual([]);
});

it("never lets a control character of a scenario reach the terminal", async () => {
  const evil = 'steps: [boot, {note: "a\\eb\\x07\\r\\nc"}]\n';
  const played = (await playText(`name: "n\\e[31m"\nmachine: {memory: 4G}\n${evil}`)).report;
  const text = renderTerminal(played, FILE);
  expect([...text].filter((char) => /\p{Cc}/u.test(char) && char !== "\n")).toEqual([]);
});

it("gives a deed a line of its own where it does not fit beside its actor", async () => {
  const played = await report("steps: [boot, {resize: {device: vm0, to: 6M}}]\n");
  const narrow = (width: number) => renderTerminal(played, { ...FILE, width, isTerminal: true }).split("\n");
  expect(narrow(40)).toContain("   driver/0  virtio-mem PLUG  ×3");
  const lines = narrow(20);
  expect(lines[lines.indexOf("   driver/0") + 1]).toBe("      virtio-mem PLUG  ×3");
});
