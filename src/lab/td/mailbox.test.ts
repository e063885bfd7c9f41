import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { getBig, newRegs, R15, RAX, RCX, RDX, RSI, setBig } from "../../abi/tdx/regs.ts";
import { GuestRam } from "../guest-ram/guest-ram.ts";
import { RamFile } from "../guest-ram/ram-file.ts";
import { MAILBOX, Mailbox } from "./mailbox.ts";
import { MailboxLoop } from "./mailbox-loop.ts";
import { jump, mailboxStub, STUB_BYTES, STUB_ENTRY } from "./mailbox-stub.ts";

const PAGE = 0x1000;
let folder = "";

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const guestRam = (): GuestRam => {
  folder = mkdtempSync(join(tmpdir(), "tidemark-test-"));
  const path = join(folder, "ram");
  writeFileSync(path, "");
  truncateSync(path, 4 * PAGE);
  const ram = new GuestRam();
  ram.add({ start: 0, size: 4 * PAGE, file: new RamFile(path), offset: 0 });
  return ram;
};

/** What the stub leaves in the page for a call. */
const ask = (ram: GuestRam, leaf: bigint, args: readonly bigint[], cpu: number): void => {
  const bytes = new Uint8Array(MAILBOX.args + 8 * 13);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(MAILBOX.rax, leaf, true);
  view.setUint32(MAILBOX.cpu, cpu, true);
  view.setBigUint64(MAILBOX.returnAddress, 0xffff_ffff_8100_1234n, true);
  for (const [i, arg] of args.entries()) view.setBigUint64(MAILBOX.args + 8 * i, arg, true);
  view.setUint32(MAILBOX.state, 1, true);
  ram.write(PAGE, bytes);
};

const wordAt = (ram: GuestRam, offset: number): bigint =>
  new DataView(ram.read(PAGE + offset, 8).buffer).getBigUint64(0, true);

const ARGS = Array.from({ length: 13 }, (_, i) => 0x1_0000_0000n * BigInt(i + 1) + 7n);

it("a call's words reach the registers they stand for, and the answer reaches the words", () => {
  const ram = guestRam();
  const mailbox = new Mailbox(ram, PAGE);
  expect(mailbox.poll()).toBe(false);
  ask(ram, 6n, ARGS, 0x1002);
  expect(mailbox.poll()).toBe(true);
  const regs = newRegs();
  mailbox.take(regs);
  expect([RAX, RCX, RDX, R15, RSI].map((r) => getBig(regs, r))).toEqual([
    6n,
    ARGS[0],
    ARGS[1],
    ARGS[9],
    ARGS[12],
  ]);
  expect(mailbox.caller).toMatchObject({ vcpu: 2, returnAddress: 0xffff_ffff_8100_1234n });
  setBig(regs, RAX, 0xc000_0b0a_0000_0001n);
  setBig(regs, RDX, 0x1234_5678_9abc_def0n);
  mailbox.answer(regs);
  expect(wordAt(ram, MAILBOX.rax)).toBe(0xc000_0b0a_0000_0001n);
  expect(wordAt(ram, MAILBOX.args + 8)).toBe(0x1234_5678_9abc_def0n);
  expect(wordAt(ram, MAILBOX.args + 8 * 12)).toBe(ARGS[12]);
  expect(Number(wordAt(ram, MAILBOX.state) & 0xffff_ffffn)).toBe(2);
  ram.close();
});

it("a call that comes while the page is read is never taken with words of the call before", () => {
  const ram = guestRam();
  const bytesBefore = (): Uint8Array => ram.read(PAGE, PAGE);
  ask(ram, 6n, [0x1000n], 0);
  let old = bytesBefore();
  /** A read copies from its end to its start, and the call comes just before the first word is copied. */
  const backward = {
    readInto: (address: number, into: Uint8Array): void => {
      ram.readInto(address, into);
      if (into.length > 4) into.set(old.subarray(address - PAGE + 4, address - PAGE + into.length), 4);
      old = bytesBefore();
    },
    write: (address: number, bytes: Uint8Array): void => ram.write(address, bytes),
  };
  const mailbox = new Mailbox(backward, PAGE);
  ask(ram, 6n, [0x2000n], 0);
  expect(mailbox.poll()).toBe(true);
  const regs = newRegs();
  mailbox.take(regs);
  expect(getBig(regs, RCX)).toBe(0x2000n);
  ram.close();
});

it("the loop serves a call that comes while nobody expects one, and gives up what serving throws", async () => {
  const ram = guestRam();
  const leaves: bigint[] = [];
  const loop = new MailboxLoop(new Mailbox(ram, PAGE), (regs) => {
    const leaf = getBig(regs, RAX);
    leaves.push(leaf);
    if (leaf === 99n) throw new Error("no such leaf");
  });
  const running = loop.start();
  ask(ram, 1n, ARGS, 0);
  while (Number(wordAt(ram, MAILBOX.state) & 0xffn) !== 2)
    await new Promise((resolve) => setImmediate(resolve));
  expect(loop.served).toBe(1);
  ask(ram, 99n, ARGS, 0);
  await expect(running).rejects.toThrow("no such leaf");
  expect(leaves).toEqual([1n, 99n]);
  ram.close();
});

it("the stub names the variable and the page it was made for, and the entries are where it says", () => {
  const code = mailboxStub(0xffff_ffff_8280_1230n, 0x7f000);
  expect(code.length).toBe(STUB_BYTES);
  const view = new DataView(code.buffer);
  expect(view.getBigUint64(0x33, true)).toBe(0xffff_ffff_8280_1230n);
  expect(view.getUint32(0x41, true)).toBe(0x7f000);
  // xor r11d, r11d and mov r11d, 1
  expect([...code.subarray(STUB_ENTRY.statusOnly, 3)]).toEqual([0x45, 0x31, 0xdb]);
  expect([...code.subarray(STUB_ENTRY.withOutputs, STUB_ENTRY.withOutputs + 3)]).toEqual([0x41, 0xbb, 0x01]);
});

it("a jump reaches forward and back", () => {
  expect([...jump(0x1000n, 0x2000n)]).toEqual([0xe9, 0xfb, 0x0f, 0x00, 0x00]);
  expect([...jump(0xffff_ffff_8200_0000n, 0xffff_ffff_8100_0000n)]).toEqual([0xe9, 0xfb, 0xff, 0xff, 0xfe]);
});
