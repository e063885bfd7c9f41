import { readAcpiTable } from "./acpi/table-facts.ts";
import { RamDump } from "./binary/ram-dump.ts";
import { HEAD_BYTES, type NoFit, recognise } from "./binary/recognise.ts";
import { RmpDump } from "./binary/rmp-dump.ts";
import { type ReadAt, readCutTable, readUnacceptedTable } from "./binary/unaccepted-table.ts";
import type { FactSink } from "./fact-sink.ts";
import type { LineReader } from "./text/line-reader.ts";
import { lineReaders } from "./text/readers.ts";
import { TextReading } from "./text/text-reading.ts";

/** Bytes of a file that is read as a whole: tables are small. */
export const LARGEST_WHOLE = 2 ** 28;

/** Turns bytes of a text into characters, piece by piece. */
export type Decode = (bytes: Uint8Array, last: boolean) => string;

/** What became of one file. */
export interface SourceReading {
  readonly name: string;
  /** What was read from it; none for a file that is nothing known. */
  readonly kinds: readonly string[];
  readonly bytes: number;
  /** Why each kind that was tried did not fit. */
  readonly not: readonly NoFit[];
}

export interface ArtifactOptions {
  /** Bytes of the whole file, where it is known. */
  readonly size: number | undefined;
  readonly decode: Decode;
  /** Reads anywhere in the file; absent for what can be read once only. */
  readonly readAt?: ReadAt;
  /** Whoever gave it says that it is the dump of an RMP. */
  readonly isRmp?: boolean;
}

const joined = (chunks: readonly Uint8Array[], length: number): Uint8Array => {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
};

/** Takes the bytes of one artifact as they come, finds out what it is, and reads it. Archives are not its business. */
export class ArtifactReading {
  private readonly source: string;
  private readonly sink: FactSink;
  private readonly options: ArtifactOptions;
  private chunks: Uint8Array[] = [];
  private held = 0;
  private bytes = 0;
  private mode: "head" | "text" | "whole" | "dump" | "rmp" | "cut" = "head";
  private text: TextReading | undefined;
  private readonly readers: readonly LineReader[] = lineReaders();
  private readonly dump = new RamDump();
  private readonly rmp = new RmpDump();
  private not: readonly NoFit[] = [];
  private kinds: string[] = [];

  constructor(source: string, sink: FactSink, options: ArtifactOptions) {
    this.source = source;
    this.sink = sink;
    this.options = options;
  }

  push(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    if (this.mode === "head" || this.mode === "whole") {
      this.chunks.push(chunk);
      this.held += chunk.length;
      if (this.mode === "head" && this.held >= HEAD_BYTES) this.decide();
      else if (this.held > LARGEST_WHOLE) this.cut();
    } else this.pass(chunk, false);
  }

  end(): SourceReading {
    if (this.mode === "head") this.decide();
    if (this.mode === "text") {
      this.pass(new Uint8Array(), true);
      this.text!.end();
      this.kinds.push(...this.readers.filter((reader) => reader.found() > 0).map(({ kind }) => kind));
    } else if (this.mode === "whole") this.readWhole(joined(this.chunks, this.held));
    else if (this.mode === "dump") this.readDump();
    else if (this.mode === "rmp") this.rmp.finish(this.source, this.sink);
    this.chunks = [];
    return { name: this.source, kinds: this.kinds, bytes: this.bytes, not: this.reasons() };
  }

  private decide(): void {
    const head = joined(this.chunks, this.held);
    const { is, not } = recognise(head.subarray(0, HEAD_BYTES), this.options.size ?? undefined);
    this.not = not;
    if (is.kind === "empty") return;
    if (is.kind === "RMP dump" || this.options.isRmp === true) {
      this.mode = "rmp";
      this.kinds = ["RMP dump"];
      this.chunks = [];
      this.rmp.push(head);
      return;
    }
    if (is.kind === "ACPI table" || is.kind === "unaccepted-memory table") {
      this.mode = "whole";
      this.kinds = [is.kind];
      return;
    }
    this.mode = is.kind === "text" ? "text" : "dump";
    if (this.mode === "text") this.text = new TextReading(this.source, this.readers, this.sink);
    this.chunks = [];
    this.pass(head, false);
  }

  private pass(chunk: Uint8Array, last: boolean): void {
    if (this.mode === "text") this.text!.feed(this.options.decode(chunk, last));
    else if (this.mode === "rmp") this.rmp.push(chunk);
    else if (this.mode === "dump") {
      this.dump.push(chunk);
      if (this.options.readAt === undefined) this.remember(chunk);
    }
  }

  /** Keeps the bytes of what can be read once only, as far as there is room. */
  private remember(chunk: Uint8Array): void {
    this.held = this.chunks.length === 0 ? chunk.length : this.held + chunk.length;
    if (this.held > LARGEST_WHOLE) this.cut();
    else this.chunks.push(chunk);
  }

  private readWhole(bytes: Uint8Array): void {
    const at = { source: this.source, offset: 0 };
    if (this.kinds[0] === "ACPI table") {
      if (readAcpiTable(bytes, at, this.sink) === undefined)
        this.sink.trouble("error", at, "an ACPI table of 36 bytes or more", `${bytes.length} bytes`);
      return;
    }
    const readAt: ReadAt = (offset, length) => bytes.subarray(offset, offset + length);
    const table = readUnacceptedTable(readAt, 0, bytes.length);
    if (typeof table !== "string") {
      this.sink.fact(table, at);
      return;
    }
    const cut = readCutTable(readAt, bytes.length);
    if (cut !== undefined) this.sink.fact(cut, at);
    const where = cut === undefined ? at : { ...at, offset: bytes.length };
    this.sink.trouble("error", where, "a whole unaccepted-memory table", table);
  }

  private readDump(): void {
    const whole = this.options.readAt === undefined ? joined(this.chunks, this.held) : undefined;
    const readAt = this.options.readAt ?? ((offset, length) => whole!.subarray(offset, offset + length));
    if (this.dump.finish(this.source, readAt, this.sink) > 0) this.kinds.push("RAM dump");
  }

  private cut(): void {
    this.mode = "cut";
    this.chunks = [];
    const at = { source: this.source, offset: LARGEST_WHOLE };
    this.sink.trouble("error", at, `at most ${LARGEST_WHOLE} bytes of what can be read once only`, "more");
  }

  private reasons(): NoFit[] {
    if (this.kinds.length > 0) return [];
    if (this.mode === "text")
      return [...this.not, ...this.readers.map(({ kind, absent }) => ({ kind, why: absent }))];
    if (this.bytes === 0) return [{ kind: "any", why: "the file is empty" }];
    const dump = { kind: "RAM dump", why: "no configuration table entry of an unaccepted table, no RSDP" };
    return [...this.not, dump];
  }
}
