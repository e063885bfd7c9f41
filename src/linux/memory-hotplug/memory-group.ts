import { ERRNO } from "../errno.ts";

export const GROUP = { NONE: 0, STATIC: 1, DYNAMIC: 2 } as const;

/**
 * Memory groups: which memory belongs to one device. A static group is added once as a whole (a DIMM), a
 * dynamic one in units (virtio-mem). Group numbers start at 1.
 *
 * @source Linux drivers/base/memory.c, memory_group_register
 * @missing page counts for the auto-movable online policy
 */
export class MemoryGroups {
  readonly kinds: Uint8Array;
  readonly nodes: Uint8Array;
  /** Pages of a static group, pages a unit of a dynamic one. */
  readonly pages: Float64Array;
  private readonly nodeCount: number;

  constructor(nodeCount: number, capacity = 320) {
    this.nodeCount = nodeCount;
    this.kinds = new Uint8Array(capacity);
    this.nodes = new Uint8Array(capacity);
    this.pages = new Float64Array(capacity);
  }

  /** @returns the group's number, -EINVAL for an impossible node or no pages, -ENOMEM when none is left */
  register(kind: number, node: number, pages: number): number {
    if (!this.possible(node) || !(pages > 0)) return ERRNO.EINVAL;
    const group = this.kinds.indexOf(GROUP.NONE, 1);
    if (group < 0) return ERRNO.ENOMEM;
    this.kinds[group] = kind;
    this.nodes[group] = node;
    this.pages[group] = pages;
    return group;
  }

  unregister(group: number): void {
    this.kinds[group] = GROUP.NONE;
  }

  exists(group: number): boolean {
    return group >= 1 && group < this.kinds.length && this.kinds[group] !== GROUP.NONE;
  }

  /** node_possible(): whether a node of this number can ever be online. */
  possible(node: number): boolean {
    return Number.isInteger(node) && 0 <= node && node < this.nodeCount;
  }

  views(): ArrayBufferView[] {
    return [this.kinds, this.nodes, this.pages];
  }
}
