import type { Output } from "../system.ts";

const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;

/** A guest's console on an output: as it is on a terminal, with plain line ends in a file or a pipe. */
export class ConsoleScreen {
  private readonly output: Output;
  private readonly decoder = new TextDecoder();
  /** A carriage return that may belong to a line end. */
  private held = "";
  private atStart = true;

  constructor(output: Output) {
    this.output = output;
  }

  get isTerminal(): boolean {
    return this.output.isTerminal;
  }

  size(): [columns: number, rows: number] {
    return [this.output.columns ?? DEFAULT_COLUMNS, this.output.rows ?? DEFAULT_ROWS];
  }

  print(bytes: Uint8Array): void {
    const text = this.decoder.decode(bytes, { stream: true });
    if (text === "") return;
    this.write(this.isTerminal ? text : this.plain(text));
  }

  /** Lines of ours, apart from what the guest has on its line. */
  notice(lines: readonly string[]): void {
    this.freshLine();
    for (const line of lines) this.write(`${line}\n`);
  }

  /** Ends the line that was begun. */
  freshLine(): void {
    if (!this.atStart) this.write("\n");
  }

  /** Calls `then` once nobody reads what is written any more; answers how to undo that. */
  onGone(then: () => void): () => void {
    return this.output.onGone(then);
  }

  private plain(text: string): string {
    const whole = this.held + text;
    this.held = whole.endsWith("\r") ? "\r" : "";
    return whole.slice(0, whole.length - this.held.length).replaceAll(/\r+\n/g, "\n");
  }

  private write(text: string): void {
    if (text === "") return;
    this.atStart = text.endsWith("\n");
    this.output.write(text);
  }
}
