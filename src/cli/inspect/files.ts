import { closeSync, createReadStream, fstatSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { ArtifactReading, type SourceReading } from "../../artifacts/artifact-reading.ts";
import type { ReadAt } from "../../artifacts/binary/unaccepted-table.ts";
import type { FactSink } from "../../artifacts/fact-sink.ts";
import { TarStream } from "../../artifacts/tree/tar.ts";
import { TreeValues, useOf } from "../../artifacts/tree/tree-paths.ts";
import { UsageError } from "../exit-status.ts";
import { decoder, LARGEST_VALUE, readValue, unreadable, walk } from "./disk.ts";
import { headFirst, type Inner, isTar, MemberBytes, packingOf, refusalOf } from "./packed-members.ts";

/** Bytes that an archive or a compressed file may unfold to, and files that a tree may have. */
export interface Limits {
  readonly unfolded: number;
  readonly files: number;
}
export const LIMITS: Limits = { unfolded: 2 ** 32, files: 1_000_000 };

const CHUNK = 2 ** 18;

/** Reads artifacts from files, folders, archives and standard input into one sink. */
export class ArtifactFiles {
  readonly sources: SourceReading[] = [];
  private readonly sink: FactSink;
  private readonly limits: Limits;
  /** What is read now is the dump of an RMP, whatever it looks like. */
  private isRmp = false;
  /** Bytes that what is read now may still unfold to, with all that is packed inside. */
  private unfolded = 0;
  /** Archives around what is read now. */
  private depth = 0;

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
    this.unfolded = 0;
    return this.bytes(name, input, size, readAt);
  }

  private async bytes(
    name: string,
    input: AsyncIterable<Uint8Array>,
    size: number | undefined,
    readAt: ReadAt | undefined,
  ): Promise<void> {
    const chunks = headFirst(input);
    const first = await chunks.next();
    const head: Uint8Array = first.done === true ? new Uint8Array() : first.value;
    async function* all(): AsyncGenerator<Uint8Array> {
      yield head;
      yield* chunks;
    }
    const packing = packingOf(head);
    if (packing === undefined) return this.plain(name, all(), size, readAt);
    let offset = 0;
    try {
      const unpacked = headFirst(await packing.unpack(all(), this.limits.unfolded - this.unfolded));
      await this.plain(
        name,
        this.bounded(name, unpacked, (bytes) => (offset += bytes)),
        undefined,
        undefined,
      );
    } catch (error) {
      if (error instanceof UsageError) throw error;
      this.sink.trouble(
        "error",
        { source: name, offset },
        `${packing.name} data to its end`,
        reasonOf(error),
      );
    }
  }

  private async *bounded(
    name: string,
    input: AsyncIterable<Uint8Array>,
    passed: (bytes: number) => void,
  ): AsyncGenerator<Uint8Array> {
    let offset = 0;
    for await (const chunk of input) {
      offset += chunk.length;
      this.unfolded += chunk.length;
      const over = this.unfolded - this.limits.unfolded;
      if (over > 0) {
        const most = `at most ${this.limits.unfolded} bytes when unpacked`;
        this.sink.trouble("error", { source: name, offset: offset - over }, most, "more");
        return;
      }
      yield chunk;
      passed(chunk.length);
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
    const inner: Inner[] = [];
    let archive: TarStream | undefined;
    let length = 0;
    for await (const chunk of chunks) {
      if (length === 0 && isTar(chunk)) archive = this.archive(name, values, inner);
      length += chunk.length;
      if (archive === undefined) reading.push(chunk);
      else archive.push(chunk);
    }
    if (archive === undefined) {
      this.sources.push(reading.end());
      return;
    }
    const whole = archive.end();
    await this.inside(inner);
    this.closeTree(name, values, before);
    if (!whole) {
      const at = { source: name, offset: archive.damagedAt ?? length };
      this.sink.trouble("error", at, "a tar archive to its end", "a damaged or cut one");
    }
  }

  /** Reads what was packed inside an archive. A tree has many files that are none of ours. */
  private async inside(inner: readonly Inner[]): Promise<void> {
    this.depth++;
    for (const { name, bytes } of inner) {
      const before = this.sources.length;
      async function* once(): AsyncGenerator<Uint8Array> {
        yield bytes;
      }
      await this.bytes(name, once(), bytes.length, undefined);
      if (this.sources[before]?.kinds.length === 0) this.sources.length = before;
    }
    this.depth--;
  }

  private archive(name: string, values: TreeValues, inner: Inner[]): TarStream {
    let open: { readonly push: (bytes: Uint8Array) => void; readonly end: () => void } | undefined;
    let files = 0;
    return new TarStream({
      begin: (path, size) => {
        if (++files > this.limits.files) return false;
        open = this.member(`${name}:${path}`, path, size, values, inner);
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
    inner: Inner[],
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
    const bytes = new MemberBytes((piece) => reading.push(piece));
    return {
      push: (piece) => bytes.push(piece),
      end: () => this.endMember(name, bytes.end(), reading, inner),
    };
  }

  private endMember(
    name: string,
    aside: Uint8Array | "large" | undefined,
    reading: ArtifactReading,
    inner: Inner[],
  ): void {
    if (aside === undefined) {
      const source = reading.end();
      if (source.kinds.length > 0) this.sources.push(source);
      return;
    }
    const refusal = refusalOf(aside, inner, this.depth);
    if (refusal !== undefined) this.sink.trouble("warning", { source: name, offset: 0 }, refusal, "more");
    else if (aside !== "large") inner.push({ name, bytes: aside });
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
