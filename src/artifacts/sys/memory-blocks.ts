import { kept } from "../fact-sink.ts";
import type { FactBody } from "../facts.ts";
import { type LineContext, type LineReader, placeOf, unquoted } from "../text/line-reader.ts";

const LISTED = /^memory(\d{1,9}) phys_index=[0-9a-f]+ state=([a-z-]+)(?: zones=([A-Za-z0-9 ]+?))?\s*$/;
const GREPPED =
  /\/sys\/devices\/system\/memory\/(?:memory(\d{1,9})\/(state|valid_zones|removable)|(block_size_bytes)):\s*(\S.*?)\s*$/;
const BLOCK_SIZE = /^block_size_bytes[ :=]+(?:0x)?([0-9a-f]{1,13})\s*$/;

const NOTHING = { state: undefined, zones: undefined, removable: undefined, node: undefined } as const;

const oneField = (block: number, field: string, value: string): FactBody => {
  const fact = { kind: "memory-block", block, ...NOTHING } as const;
  if (field === "state") return { ...fact, state: kept(value) };
  if (field === "removable") return { ...fact, removable: value === "1" };
  return { ...fact, zones: kept(value) };
};

const read = (text: string): FactBody | undefined => {
  const listed = LISTED.exec(text);
  if (listed !== null) {
    const [, block, state, zones] = listed;
    const said = zones === undefined ? undefined : kept(zones);
    return { kind: "memory-block", block: Number(block), ...NOTHING, state: kept(state!), zones: said };
  }
  const size = BLOCK_SIZE.exec(text);
  if (size !== null) return { kind: "block-size", bytes: Number.parseInt(size[1]!, 16) };
  const grepped = GREPPED.exec(text);
  if (grepped === null) return undefined;
  const [, block, field, , value] = grepped;
  if (block !== undefined) return oneField(Number(block), field!, value!);
  return /^[0-9a-f]{1,13}$/.test(value!)
    ? { kind: "block-size", bytes: Number.parseInt(value!, 16) }
    : undefined;
};

/**
 * /sys/devices/system/memory as text: what `grep . /sys/devices/system/memory/memory*\/state` prints, or one line a
 * block with its phys_index, state and zones.
 */
export class MemoryBlocks implements LineReader {
  readonly kind = "/sys/devices/system/memory";
  readonly absent = "no line of a memory block's state, and no block_size_bytes";
  readonly literals = [" phys_index=", "/sys/devices/system/memory/", "block_size_bytes"];
  private count = 0;

  line(text: string, context: LineContext): void {
    const body = read(unquoted(text));
    if (body === undefined) return;
    this.count++;
    context.sink.fact(body, placeOf(context));
  }

  isOpen(): boolean {
    return false;
  }

  end(): void {}

  found(): number {
    return this.count;
  }
}
