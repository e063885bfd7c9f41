import {
  closeSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { EXIT, SIGNAL_STATUS } from "./exit-status.ts";

/** A stream of text to the user. Writing to one whose reader has gone does nothing. */
export interface Output {
  readonly isTerminal: boolean;
  /** Columns and rows of the terminal; undefined if it does not say. */
  readonly columns: number | undefined;
  readonly rows: number | undefined;
  write(text: string): void;
  /** Calls `then` once the reader has gone; answers how to undo that. */
  onGone(then: () => void): () => void;
}

/** A file written piece by piece. */
export interface TextFile {
  write(text: string): void;
  close(): void;
}

/** Everything of the operating system that a command uses, so that tests can run commands without it. */
export interface System {
  readonly env: { readonly [name: string]: string | undefined };
  readonly stdout: Output;
  readonly stderr: Output;
  /** Milliseconds of a clock that only goes forward. For progress, never for results. */
  clock(): number;
  readBytes(path: string): Uint8Array;
  readStdin(): string;
  /** Whether standard input is a terminal. */
  readonly hasKeyboard: boolean;
  /** Takes every key as it is typed, Ctrl-C too; answers how to give the terminal back as it was. */
  openKeyboard(take: (bytes: Uint8Array) => void): () => void;
  /** Writes all or nothing: a reader never sees half a file. */
  writeText(path: string, text: string): void;
  openText(path: string): TextFile;
  /** Calls `handler` with an exit status at Ctrl-C and its like instead of dying; answers how to undo that. */
  onSignal(handler: (status: number) => void): () => void;
  /** Calls `then` after so many milliseconds, if the process lives so long; answers how to undo that. */
  after(ms: number, then: () => void): () => void;
  exit(status: number): void;
  /** Lets timers and signals be heard. */
  breathe(): Promise<void>;
}

const BUFFER = 2 ** 16;

const openText = (path: string): TextFile => {
  const fd = openSync(path, "w");
  let buffered: string[] = [];
  let length = 0;
  const flush = (): void => {
    writeSync(fd, buffered.join(""));
    buffered = [];
    length = 0;
  };
  return {
    write: (text) => {
      buffered.push(text);
      length += text.length;
      if (length >= BUFFER) flush();
    },
    close: () => {
      try {
        flush();
      } finally {
        closeSync(fd);
      }
    },
  };
};

const writeText = (path: string, text: string): void => {
  const there = statSync(path, { throwIfNoEntry: false });
  // A device or a pipe is written to; putting a file in its place would take it away from everybody.
  if (there !== undefined && !there.isFile()) {
    writeFileSync(path, text);
    return;
  }
  const file = there === undefined ? path : realpathSync(path);
  const draft = `${file}.${process.pid}.tmp`;
  try {
    writeFileSync(draft, text);
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
};

/** What is printed cannot be printed, as on a full disk: one line, where that still can be, and the end. */
const giveUpOutput = (error: Error): void => {
  try {
    writeSync(2, `tidemark: output: expected a place that can be written to, found ${error.message}\n`);
  } finally {
    process.exit(EXIT.input);
  }
};

const outputOf = (stream: NodeJS.WriteStream): Output => {
  let open = true;
  const waiting = new Set<() => void>();
  stream.on("error", (error: NodeJS.ErrnoException) => {
    open = false;
    // The reader of a pipe may leave when it has seen enough: `tidemark run ... | head`.
    if (error.code !== "EPIPE") giveUpOutput(error);
    for (const then of waiting) then();
  });
  return {
    isTerminal: stream.isTTY === true,
    get columns() {
      return stream.columns || undefined;
    },
    get rows() {
      return stream.rows || undefined;
    },
    write: (text) => {
      if (open) stream.write(text);
    },
    onGone: (then) => {
      if (!open) then();
      waiting.add(then);
      return () => waiting.delete(then);
    },
  };
};

const openKeyboard: System["openKeyboard"] = (take) => {
  const { stdin } = process;
  stdin.setRawMode(true);
  stdin.on("data", take);
  return () => {
    stdin.off("data", take);
    stdin.setRawMode(false);
    stdin.pause();
  };
};

const onSignal: System["onSignal"] = (handler) => {
  const listeners = Object.entries(SIGNAL_STATUS).map(([signal, status]) => {
    const heard = (): void => handler(status);
    process.on(signal, heard);
    return () => process.off(signal, heard);
  });
  return () => {
    for (const stop of listeners) stop();
  };
};

/** The real thing. */
export const processSystem = (): System => ({
  env: process.env,
  stdout: outputOf(process.stdout),
  stderr: outputOf(process.stderr),
  // `performance` is a dozen modules of Node, loaded when it is first used.
  clock: () => Number(process.hrtime.bigint()) / 1e6,
  readBytes: (path) => readFileSync(path),
  readStdin: () => readFileSync(0, "utf8"),
  get hasKeyboard() {
    return process.stdin.isTTY === true;
  },
  openKeyboard,
  writeText,
  openText,
  onSignal,
  after: (ms, then) => {
    const timer = setTimeout(then, ms).unref();
    return () => clearTimeout(timer);
  },
  exit: (status) => {
    process.exit(status);
  },
  breathe: () => new Promise((resolve) => setImmediate(resolve)),
});

/** The real thing, but what is printed goes to `write`, and nobody is there to type. */
export const collectingSystem = (write: (text: string) => void): System => {
  const output: Output = {
    isTerminal: false,
    columns: undefined,
    rows: undefined,
    write,
    onGone: () => () => {},
  };
  return { ...processSystem(), stdout: output, stderr: output, hasKeyboard: false };
};
