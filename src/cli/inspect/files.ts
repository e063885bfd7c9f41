import { closeSync, createReadStream, fstatSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { ArtifactReading, type SourceReading } from "../../artifacts/artifact-reading.ts";
import type { ReadAt } from "../../artifacts/binary/unaccepted-table.ts";
import type { FactSink } from "../../artifacts/fact-sink.ts";
import { TarStream } from "../../artifacts/tree/tar.ts";
import { TreeValues, useOf } from "../../artifacts/tree/tree-paths.ts";
import { describe, oneLine } from "../../scenario/scenario-error.ts";
import { UsageError } from "../exit-status.ts";
import { decoder, gunzip, LARGEST_VALUE, readValue, unbzip2, unxz, unzstd, walk } from "./disk.ts";

/** Bytes that an archive or a compressed file may unfold to, and files that a tree may have. */
export interface Limits {
  readonly unfolded: number;
  readonly files: number;
}
export const LIMITS: Limits = { unfolded: 2 ** 32, files: 1_000_000 };

const CHUNK = 2 ** 18;
type Unpack = (packed: AsyncIterable<Uint8Array>, limit: number) => Promise<AsyncIterable<Uint8Array>>;
const PACKED: readonly (readonly [magic: readonly number[], name: string, unpack: Unpack])[] = [
  [[0x1f, 0x8b], "gzip", gunzip],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], "xz", unxz],
  [[0x42, 0x5a, 0x68], "bzip2", unbzip2],
  [[0x28, 0xb5, 0x2f, 0xfd], "zstd", unzstd],
];

const REASONS: { readonly [code: string]: string } = {
  ENOENT: "is not there",
  EACCES: "may not be opened",
  EPERM: "may not be opened",
  ENOTDIR: "lies in no folder",
};

const unreadable = (name: string, error: unknown): UsageError => {
  const { code = "", message } = error as NodeJS.ErrnoException;
  const why = REASONS[code] ?? `cannot be read (${message})`;
  return new UsageError(oneLine(`${describe(name)}: expected a file or a folder, found one that ${why}`), {
    cause: error,
  });
};

const startsWith = (bytes: Uint8Array, magic: readonly number[]): boolean =>
  magic.every((byte, i) => bytes[i] === byte);

const isTar = (head: Uint8Array): boolean =>
  head.length >= 512 && Buffer.from(head.subarray(257, 262)).toString("latin1") === "ustar";

/** Reads artifacts from files, folders, archives and standard input into one sink. */
export class ArtifactFiles {
  readonly sources: SourceReading[] = [];
  private readonly sink: FactSink;
  private readonly limits: Limits;
  /** What is read now is the dump of an RMP, whatever it looks like. */
  private isRmp = false;

  constructor(sink: FactSink, limits: Limits = LIMITS) {
    this.sink = sink;
    this.limits = limits;
  }

  /** @throws UsageError for what cannot be read */
  async readRmp(name: string): Promise<void> {
    this.isRmp = true;
    await this.read(name);
    this.isRmp = false;
  }

  /** @throws UsageError for what cannot be read */
  async read(name: string): Promise<void> {
    if (name === "-") return this.stream("standard input", process.stdin, undefined, undefined);
    try {
      const status = statSync(name);
      if (status.isDirectory()) return this.folder(name);
    } catch (error) {
      throw unreadable(name, error);
    }
    return this.file(name);
  }

  private async file(name: string): Promise<void> {
    let fd: number;
    try {
      fd = openSync(name, "r");
    } catch (error) {
      throw unreadable(name, error);
    }
    try {
      const status = fstatSync(fd);
      const readAt: ReadAt = (offset, length) => {
        const bytes = Buffer.alloc(Math.min(length, Math.max(0, status.size - offset)));
        return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, offset));
      };
      // Files of /proc and /sys say 0 bytes and have some.
      const size = status.isFile() && status.size > 0 ? status.size : undefined;
      const input = createReadStream(name, { fd, autoClose: false, highWaterMark: CHUNK });
      await this.stream(name, input, size, size === undefined ? undefined : readAt);
    } catch (error) {
      throw error instanceof UsageError ? error : unreadable(name, error);
    } finally {
      closeSync(fd);
    }
  }

  /** Looks at the first bytes, unpacks what is packed, and reads what is inside. */
  private async stream(
    name: string,
    input: Readable,
    size: number | undefined,
    readAt: ReadAt | undefined,
  ): Promise<void> {
    const chunks = input[Symbol.asyncIterator]();
    const first = await chunks.next();
    const head: Uint8Array = first.done === true ? new Uint8Array() : first.value;
    const packed = PACKED.find(([magic]) => startsWith(head, magic));
    async function* all(): AsyncGenerator<Uint8Array> {
      yield head;
      for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value;
    }
    if (packed === undefined) return this.plain(name, all(), size, readAt);
    const [, kind, unpack] = packed;
    return this.packed(name, kind, () => unpack(all(), this.limits.unfolded));
  }

  private async packed(
    name: string,
    kind: string,
    unpack: () => Promise<AsyncIterable<Uint8Array>>,
  ): Promise<void> {
    try {
      await this.plain(name, this.bounded(name, await unpack()), undefined, undefined);
    } catch (error) {
      if (error instanceof UsageError) throw error;
      this.sink.trouble("error", { source: name }, `${kind} data to its end`, reasonOf(error));
    }
  }

  private async *bounded(name: string, input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let bytes = 0;
    for await (const chunk of input) {
      bytes += chunk.length;
      if (bytes > this.limits.unfolded) {
        const most = `at most ${this.limits.unfolded} bytes when unpacked`;
        this.sink.trouble("error", { source: name, offset: this.limits.unfolded }, most, "more");
        return;
      }
      yield chunk;
    }
  }

  private async plain(
    name: string,
    chunks: AsyncIterable<Uint8Array>,
    size: number | undefined,
    readAt: ReadAt | undefined,
  ): Promise<void> {
    const decode = decoder();
    const reading = new ArtifactReading(name, this.sink, {
      size,
      decode,
      isRmp: this.isRmp,
      ...(readAt === undefined ? {} : { readAt }),
    });
    const values = new TreeValues(this.sink);
    const before = this.sources.length;
    let archive: TarStream | undefined;
    let started = false;
    for await (const chunk of chunks) {
      if (!started && isTar(chunk)) archive = this.archive(name, values);
      started = true;
      if (archive === undefined) reading.push(chunk);
      else archive.push(chunk);
    }
    if (archive === undefined) {
      this.sources.push(reading.end());
      return;
    }
    const whole = archive.end();
    this.closeTree(name, values, before);
    if (!whole) {
      const { damagedAt } = archive;
      const at = damagedAt === undefined ? { source: name } : { source: name, offset: damagedAt };
      this.sink.trouble("error", at, "a tar archive to its end", "a damaged or cut one");
    }
  }

  private archive(name: string, values: TreeValues): TarStream {
    let open: { readonly push: (bytes: Uint8Array) => void; readonly end: () => void } | undefined;
    let files = 0;
    return new TarStream({
      begin: (path, size) => {
        if (++files > this.limits.files) return false;
        open = this.member(`${name}:${path}`, path, size, values);
        return open !== undefined;
      },
      data: (bytes) => open!.push(bytes),
      end: () => {
        open!.end();
      },
    });
  }

  /** How a file of a tree is read; undefined if it is not. */
  private member(
    name: string,
    path: string,
    size: number,
    values: TreeValues,
  ): { readonly push: (bytes: Uint8Array) => void; readonly end: () => void } | undefined {
    const use = useOf(path);
    if (use === "skip") return undefined;
    if (use === "value") {
      const pieces: Uint8Array[] = [];
      return {
        push: (bytes) => {
          if (pieces.length < LARGEST_VALUE) pieces.push(Uint8Array.from(bytes));
        },
        end: () => values.file(path, Buffer.concat(pieces).subarray(0, LARGEST_VALUE).toString("utf8")),
      };
    }
    const reading = new ArtifactReading(name, this.sink, { size, decode: decoder() });
    return {
      push: (bytes) => reading.push(Uint8Array.from(bytes)),
      end: () => {
        const source = reading.end();
        // A tree has many files that are none of ours.
        if (source.kinds.length > 0) this.sources.push(source);
      },
    };
  }

  private async folder(root: string): Promise<void> {
    const values = new TreeValues(this.sink);
    const prefix = /(?:^|\/)(?:sys|proc)\/?$/.exec(root)?.[0].replaceAll("/", "");
    const start = this.sources.length;
    let files = 0;
    for (const path of walk(root)) {
      if (++files > this.limits.files) break;
      const use = useOf(prefix === undefined ? path : `${prefix}/${path}`);
      if (use === "skip") continue;
      const before = this.sources.length;
      try {
        if (use === "content") await this.file(join(root, path));
        else values.file(join(root, path), readValue(join(root, path)));
      } catch (error) {
        // One file of a tree that may not be read does not hide the others.
        this.sink.trouble(
          "warning",
          { source: join(root, path) },
          "a file that can be read",
          reasonOf(error),
        );
      }
      if (this.sources[before]?.kinds.length === 0) this.sources.length = before;
    }
    this.closeTree(root, values, start);
  }

  /** Tells of the values of a tree, or that there was nothing in it. */
  private closeTree(name: string, values: TreeValues, before: number): void {
    if (values.end() > 0) this.sources.push({ name, kinds: ["saved /sys tree"], bytes: 0, not: [] });
    else if (this.sources.length === before) this.sources.push({ name, kinds: [], bytes: 0, not: NO_FILES });
  }
}

const NO_FILES = [{ kind: "saved tree", why: "none of its files is an artifact of memory" }];

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
