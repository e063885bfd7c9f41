/** What a key after Ctrl-A asks for. */
export type EscapeCommand = "quit" | "map" | "help";

/** What typed bytes mean: some for the guest, some for us, in their order. */
export type Typed = { readonly kind: "bytes"; readonly bytes: Uint8Array } | { readonly kind: EscapeCommand };

const CTRL_A = 0x01;
const COMMANDS: { readonly [key: string]: EscapeCommand } = { x: "quit", m: "map", h: "help", "?": "help" };

export const ESCAPE_HELP = [
  "Ctrl-A x  end the guest",
  "Ctrl-A m  show the memory map",
  "Ctrl-A h  show this",
  "Ctrl-A a  send Ctrl-A to the guest",
];

/** Takes the escapes of a console out of what is typed. A Ctrl-A waits for its key, also across chunks. */
export class EscapeKeys {
  private escaped = false;

  push(chunk: Uint8Array): Typed[] {
    const typed: Typed[] = [];
    let plain: number[] = [];
    for (const byte of chunk) {
      if (!this.escaped) {
        if (byte === CTRL_A) this.escaped = true;
        else plain.push(byte);
        continue;
      }
      this.escaped = false;
      const key = String.fromCharCode(byte).toLowerCase();
      const command = COMMANDS[key];
      if (key === "a" || byte === CTRL_A) plain.push(CTRL_A);
      if (command === undefined) continue;
      if (plain.length > 0) typed.push({ kind: "bytes", bytes: Uint8Array.from(plain) });
      plain = [];
      typed.push({ kind: command });
    }
    if (plain.length > 0) typed.push({ kind: "bytes", bytes: Uint8Array.from(plain) });
    return typed;
  }
}
