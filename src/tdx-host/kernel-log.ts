/** Levels of the kernel log that the host's TDX code uses. The default console hides debug. */
export const LOG_LEVELS = ["err", "warning", "info", "debug"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogEntry {
  readonly level: LogLevel;
  readonly text: string;
}

/** The host kernel's log, lines in the order they were printed. */
export class KernelLog {
  private readonly lines: LogEntry[] = [];
  /** Hears of each line as it is printed. */
  onPrint: (entry: LogEntry) => void = () => {};

  print(level: LogLevel, text: string): void {
    this.lines.push({ level, text });
    this.onPrint({ level, text });
  }
  /** A line of arch/x86/virt/vmx/tdx, which has the prefix `virt/tdx: `. */
  tdx(level: LogLevel, text: string): void {
    this.print(level, `virt/tdx: ${text}`);
  }
  get entries(): readonly LogEntry[] {
    return this.lines;
  }
  /** What `dmesg` shows: all but debug messages, which are compiled in but off. */
  dmesg(): string[] {
    return this.lines.filter(({ level }) => level !== "debug").map(({ text }) => text);
  }
}
