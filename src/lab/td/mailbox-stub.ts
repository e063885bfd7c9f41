/**
 * Machine code that stands in for the TDCALL instruction in a guest kernel: it hands the call over through a page
 * of guest memory and waits there for the answer, so that no debugger has to stop the guest. HLT by TDG.VP.VMCALL is
 * the one call it answers itself, by halting.
 *
 * Entered in place of the kernel's __tdcall functions, after their first instruction: RDI is the leaf, RSI points to
 * `struct tdx_module_args` (13 words). Interrupts are off while it waits, as they are while a TDCALL executes; a lock
 * in the page lets one CPU at a time in.
 */
const NO_PATCH = { direct: 0, page: 0 } as const;

/** Bytes and what they are, in order. `direct` and `page` mark where an address is put in. */
const CODE: readonly (readonly [bytes: string, instruction: string, patch?: keyof typeof NO_PATCH])[] = [
  ["4531db", "xor r11d, r11d        ; __tdcall: no output but RAX"],
  ["eb09", "jmp enter"],
  ["0f1f00", "nop                   ; the second entry is at 8"],
  ["41bb01000000", "mov r11d, 1           ; __tdcall_ret, __tdcall_saved_ret"],
  ["9c", "enter: pushfq"],
  ["fa", "cli"],
  ["fc", "cld"],
  ["85ff", "test edi, edi         ; TDG.VP.VMCALL"],
  ["751c", "jnz call"],
  ["48837e280c", "cmp qword [rsi+40], 12 ; R11 = HLT"],
  ["7515", "jne call"],
  ["48837e2000", "cmp qword [rsi+32], 0 ; R10 = standard"],
  ["750e", "jne call"],
  ["fb", "sti"],
  ["f4", "hlt"],
  ["48c7462000000000", "mov qword [rsi+32], 0"],
  ["31c0", "xor eax, eax"],
  ["9d", "popfq"],
  ["c3", "ret"],
  ["49ba0000000000000000", "call: mov r10, imm64  ; &page_offset_base", "direct"],
  ["4d8b12", "mov r10, [r10]"],
  ["4981c200000000", "add r10, imm32        ; the page's guest-physical address", "page"],
  ["b801000000", "lock: mov eax, 1"],
  ["41874204", "xchg [r10+4], eax"],
  ["85c0", "test eax, eax"],
  ["7404", "jz locked"],
  ["f390", "pause"],
  ["ebef", "jmp lock"],
  ["49897a08", "locked: mov [r10+8], rdi"],
  ["4889f2", "mov rdx, rsi"],
  ["498d7a40", "lea rdi, [r10+64]"],
  ["b90d000000", "mov ecx, 13"],
  ["f348a5", "rep movsq"],
  ["49895230", "mov [r10+48], rdx"],
  ["0f01f9", "rdtscp                ; ECX[11:0] = number of the CPU"],
  ["41894a10", "mov [r10+16], ecx"],
  ["488b442408", "mov rax, [rsp+8]      ; return address of the caller"],
  ["49894218", "mov [r10+24], rax"],
  ["49896220", "mov [r10+32], rsp"],
  ["49896a28", "mov [r10+40], rbp"],
  ["41c70201000000", "mov dword [r10], 1    ; asked"],
  ["f390", "wait: pause"],
  ["41833a02", "cmp dword [r10], 2    ; answered"],
  ["75f8", "jne wait"],
  ["498b4208", "mov rax, [r10+8]"],
  ["4585db", "test r11d, r11d"],
  ["7410", "jz done"],
  ["498d7240", "lea rsi, [r10+64]"],
  ["498b7a30", "mov rdi, [r10+48]"],
  ["b90d000000", "mov ecx, 13"],
  ["f348a5", "rep movsq"],
  ["41c70200000000", "done: mov dword [r10], 0"],
  ["41c7420400000000", "mov dword [r10+4], 0"],
  ["9d", "popfq"],
  ["c3", "ret"],
];

const sizeOf = (hex: string): number => hex.length / 2;

/** Bytes of the stub. */
export const STUB_BYTES = CODE.reduce((sum, [bytes]) => sum + sizeOf(bytes), 0);
/** Where calls enter it: those that give back RAX alone, and those that give back the argument words too. */
export const STUB_ENTRY = { statusOnly: 0, withOutputs: 8 } as const;

const putAddress = (code: Uint8Array, at: number, value: bigint, bytes: number): void => {
  for (let i = 0; i < bytes; i++) code[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
};

/**
 * The stub for one kernel.
 *
 * @param pageOffsetBase virtual address of the kernel's variable that holds the start of its direct mapping
 * @param mailbox guest-physical address of the mailbox page, below 2 GiB, in memory the kernel maps but never uses
 */
export const mailboxStub = (pageOffsetBase: bigint, mailbox: number): Uint8Array => {
  const code = new Uint8Array(STUB_BYTES);
  let at = 0;
  for (const [hex, , patch] of CODE) {
    for (let i = 0; i < sizeOf(hex); i++) code[at + i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
    if (patch === "direct") putAddress(code, at + 2, pageOffsetBase, 8);
    if (patch === "page") putAddress(code, at + 3, BigInt(mailbox), 4);
    at += sizeOf(hex);
  }
  return code;
};

/** `jmp rel32` from virtual address `from` to `to`. */
export const jump = (from: bigint, to: bigint): Uint8Array => {
  const code = new Uint8Array(5);
  code[0] = 0xe9;
  putAddress(code, 1, BigInt.asUintN(32, to - (from + 5n)), 4);
  return code;
};
