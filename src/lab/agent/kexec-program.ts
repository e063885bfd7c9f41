import { assert } from "../../assert.ts";

/**
 * The machine code of a program for the guest, since busybox has no kexec: with arguments it loads a kernel, without
 * any it starts the one loaded. It ends with the errno, 0 if all went well.
 *
 *     kexec-file KERNEL INITRD COMMAND-LINE [FLAGS]     FLAGS: one digit, 2 loads the crash kernel
 *
 * @source kexec_file_load(2), reboot(2)
 */
const CODE = `
  8b 1c 24                    mov ebx, [rsp]                    # argc
  83 fb 04                    cmp ebx, 4
  73 1b                       jae load
  b8 a9 00 00 00              mov eax, 169                      # reboot
  bf ad de e1 fe              mov edi, LINUX_REBOOT_MAGIC1
  be 69 19 12 28              mov esi, LINUX_REBOOT_MAGIC2
  ba 43 45 58 45              mov edx, LINUX_REBOOT_CMD_KEXEC
  45 31 d2                    xor r10d, r10d
  0f 05                       syscall
  eb 5c                       jmp leave
  48 8b 7c 24 10        load: mov rdi, [rsp + 0x10]             # KERNEL
  31 f6                       xor esi, esi                      # O_RDONLY
  31 d2                       xor edx, edx
  b8 02 00 00 00              mov eax, 2                        # open
  0f 05                       syscall
  85 c0                       test eax, eax
  78 48                       js leave
  41 89 c4                    mov r12d, eax
  48 8b 7c 24 18              mov rdi, [rsp + 0x18]             # INITRD
  31 f6                       xor esi, esi
  b8 02 00 00 00              mov eax, 2
  0f 05                       syscall
  85 c0                       test eax, eax
  78 33                       js leave
  89 c6                       mov esi, eax                      # initrd_fd
  44 89 e7                    mov edi, r12d                     # kernel_fd
  4c 8b 54 24 20              mov r10, [rsp + 0x20]             # cmdline
  31 d2                       xor edx, edx                      # cmdline_len, with its NUL
  48 ff c2              next: inc rdx
  41 80 7c 12 ff 00           cmp byte ptr [r10 + rdx - 1], 0
  75 f5                       jne next
  45 31 c0                    xor r8d, r8d                      # flags
  83 fb 05                    cmp ebx, 5
  72 0d                       jb call
  48 8b 44 24 28              mov rax, [rsp + 0x28]
  44 0f b6 00                 movzx r8d, byte ptr [rax]
  41 83 e8 30                 sub r8d, '0'
  b8 40 01 00 00        call: mov eax, 320                      # kexec_file_load
  0f 05                       syscall
  89 c7                leave: mov edi, eax
  f7 df                       neg edi
  b8 3c 00 00 00              mov eax, 60                       # exit
  0f 05                       syscall
`;
const CODE_BYTES = 138;

/** Columns of CODE that hold bytes; what is right of them is for the reader. */
const BYTES_COLUMNS = 22;

const LOAD_ADDRESS = 0x400000n;
const ELF_HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;

const machineCode = (): Uint8Array => {
  const lines = CODE.split("\n").map((line) => line.slice(2, BYTES_COLUMNS));
  const bytes = lines.flatMap((line) => line.split(" ").filter((word) => /^[0-9a-f]{2}$/.test(word)));
  assert(bytes.length === CODE_BYTES, () => `${bytes.length} bytes of code are ${CODE_BYTES}`);
  return Uint8Array.from(bytes, (byte) => Number.parseInt(byte, 16));
};

/** The program as a static ELF of one segment. */
export const kexecProgram = (): Uint8Array => {
  const code = machineCode();
  const start = ELF_HEADER_BYTES + PROGRAM_HEADER_BYTES;
  const file = new Uint8Array(start + code.length);
  const view = new DataView(file.buffer);
  const put64 = (at: number, value: bigint): void => view.setBigUint64(at, value, true);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // ELF, 64-bit, little-endian, version 1
  view.setUint16(16, 2, true); // e_type: ET_EXEC
  view.setUint16(18, 62, true); // e_machine: EM_X86_64
  view.setUint32(20, 1, true); // e_version
  put64(24, LOAD_ADDRESS + BigInt(start)); // e_entry
  put64(32, BigInt(ELF_HEADER_BYTES)); // e_phoff
  view.setUint16(52, ELF_HEADER_BYTES, true);
  view.setUint16(54, PROGRAM_HEADER_BYTES, true);
  view.setUint16(56, 1, true); // e_phnum
  view.setUint32(64, 1, true); // p_type: PT_LOAD
  view.setUint32(68, 5, true); // p_flags: read, execute
  put64(80, LOAD_ADDRESS); // p_vaddr
  put64(88, LOAD_ADDRESS); // p_paddr
  put64(96, BigInt(file.length)); // p_filesz
  put64(104, BigInt(file.length)); // p_memsz
  put64(112, 0x1000n); // p_align
  file.set(code, start);
  return file;
};
