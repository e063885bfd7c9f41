import type { System } from "../system.ts";

/** A system in memory: files by path, and what was written to the two streams. */
export interface FakeSystem extends System {
  readonly files: Map<string, string>;
  readonly out: () => string;
  readonly err: () => string;
  /** Types on the keyboard; nothing if it is not open. */
  readonly type: (text: string) => void;
  /** Whether the terminal is in the state that a shell expects. */
  readonly isRestored: () => boolean;
  /** The reader of standard output leaves. */
  readonly leave: () => void;
  /** A signal that asks for an exit status. */
  readonly signal: (status: number) => void;
}

const missing = (path: string): Error => Object.assign(new Error(`ENOENT ${path}`), { code: "ENOENT" });

/** @param files by path as the command names them, or resolved */
export const fakeSystem = (
  files: { readonly [path: string]: string },
  options: {
    readonly env?: System["env"];
    readonly stdin?: string;
    readonly terminal?: number;
    readonly keyboard?: boolean;
  } = {},
): FakeSystem => {
  const stored = new Map(Object.entries(files));
  const [out, err]: [string[], string[]] = [[], []];
  const gone = new Set<() => void>();
  let take: ((bytes: Uint8Array) => void) | undefined;
  let heard: ((status: number) => void) | undefined;
  const stream = (lines: string[]) => ({
    rows: undefined,
    onGone: (then: () => void) => {
      gone.add(then);
      return () => gone.delete(then);
    },
    isTerminal: options.terminal !== undefined,
    columns: options.terminal,
    write: (text: string) => {
      lines.push(text);
    },
  });
  const refuseReadOnly = (path: string): void => {
    if (path.startsWith("/read-only/")) throw Object.assign(new Error("EACCES"), { code: "EACCES" });
  };
  return {
    files: stored,
    out: () => out.join(""),
    err: () => err.join(""),
    type: (text) => take?.(new TextEncoder().encode(text)),
    isRestored: () => take === undefined,
    leave: () => {
      for (const then of gone) then();
    },
    signal: (status) => heard?.(status),
    hasKeyboard: options.keyboard === true,
    openKeyboard: (taker) => {
      take = taker;
      return () => {
        take = undefined;
      };
    },
    env: options.env ?? {},
    stdout: stream(out),
    stderr: stream(err),
    clock: () => 0,
    readBytes: (path) => {
      const text = stored.get(path);
      if (text === undefined) throw missing(path);
      return new TextEncoder().encode(text);
    },
    readStdin: () => options.stdin ?? "",
    writeText: (path, text) => {
      refuseReadOnly(path);
      stored.set(path, text);
    },
    openText: (path) => {
      refuseReadOnly(path);
      stored.set(path, "");
      return {
        write: (text) => {
          stored.set(path, (stored.get(path) ?? "") + text);
        },
        close: () => {},
      };
    },
    onSignal: (handler) => {
      heard = handler;
      return () => {
        heard = undefined;
      };
    },
    after: () => () => {},
    exit: () => {},
    breathe: () => Promise.resolve(),
  };
};
