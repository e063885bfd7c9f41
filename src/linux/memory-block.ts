import { assert } from "../assert.ts";
import type { Geometry } from "./geometry.ts";

/** States of a memory block. The last three print as sysfs prints them. */
export const BLOCK_STATES = ["absent", "offline", "online", "going-offline"] as const;
export type BlockState = (typeof BLOCK_STATES)[number];
export const BLOCK = { ABSENT: 0, OFFLINE: 1, ONLINE: 2, GOING_OFFLINE: 3 } as const;

/** What can be written to memoryN/state and to auto_online_blocks; the index is the kernel's MMOP number. */
export const ONLINE_TYPES = ["offline", "online", "online_kernel", "online_movable"] as const;
export type OnlineType = (typeof ONLINE_TYPES)[number];
export const MMOP = { OFFLINE: 0, ONLINE: 1, ONLINE_KERNEL: 2, ONLINE_MOVABLE: 3 } as const;

/** Zone of a block that is offline or whose pages belong to several zones. */
export const NO_SINGLE_ZONE = 0xff;

/** Blocks whose rows come into being together; an address space of petabytes costs a directory and no more. */
const LEAF_BLOCKS = 1024;
const NIL = -1;

/** Slots of `MemoryBlocks.words`. */
const WORD = { autoOnline: 0, maxPfn: 1, archAddFails: 2, createFails: 3, signalled: 4, leaves: 5 } as const;

/**
 * The memory blocks of the machine, the unit in which Linux adds, onlines, offlines and removes memory:
 * block number N is [N * blockSize, (N + 1) * blockSize).
 *
 * A row a block, in columns of typed arrays. Rows exist in leaves of 1024, made when the first block of a
 * leaf appears.
 *
 * @source Linux drivers/base/memory.c
 * @missing physical device ids, hardware-poisoned pages, /sys/devices/system/memory/probe
 */
export class MemoryBlocks {
  readonly blockSize: number;
  readonly pagesPerBlock: number;
  readonly sectionsPerBlock: number;
  /** End of the physical addresses that memory may be plugged at, bytes (mhp_get_pluggable_range). */
  readonly pluggableEnd: number;
  /** 1 while the node is online. */
  readonly nodeOnline: Uint8Array;
  /** Blocks of each node; and whether it has CPUs, which keep it online without memory. */
  readonly nodeBlocks: Float64Array;
  readonly nodeCpus: Uint8Array;
  states: Uint8Array;
  zones: Uint8Array;
  nodes: Uint8Array;
  /** Type the block was onlined with by offline_and_remove_memory(), to online it again if that fails. */
  reonline: Uint8Array;
  /** Pages at the start of the block that hold its own memmap. */
  altmapPages: Uint32Array;
  /** Memory group, 0: none. */
  groups: Int32Array;
  /** First frame of the pages outside the block that hold the memmap of each of its sections; -1: none. */
  memmaps: Float64Array;
  readonly words = new Float64Array(Object.keys(WORD).length);
  private readonly root: Int32Array;
  private readonly leafBlocks: number;

  /**
   * @param blockSize bytes, a multiple of the section size
   * @param pluggableEnd bytes; nothing is ever added above
   */
  constructor(geometry: Geometry, blockSize: number, pluggableEnd: number, nodes: number) {
    assert(
      blockSize > 0 && blockSize % geometry.sectionSize === 0,
      "a memory block is a whole number of sections",
    );
    const blocks = Math.ceil(pluggableEnd / blockSize);
    this.blockSize = blockSize;
    this.pagesPerBlock = blockSize / geometry.pageSize;
    this.sectionsPerBlock = blockSize / geometry.sectionSize;
    this.pluggableEnd = pluggableEnd;
    this.nodeOnline = new Uint8Array(nodes);
    this.nodeBlocks = new Float64Array(nodes);
    this.nodeCpus = new Uint8Array(nodes);
    this.leafBlocks = Math.min(LEAF_BLOCKS, blocks);
    this.root = new Int32Array(Math.ceil(blocks / this.leafBlocks)).fill(NIL);
    this.states = new Uint8Array(0);
    this.zones = new Uint8Array(0);
    this.nodes = new Uint8Array(0);
    this.reonline = new Uint8Array(0);
    this.altmapPages = new Uint32Array(0);
    this.groups = new Int32Array(0);
    this.memmaps = new Float64Array(0);
  }

  /** auto_online_blocks as an MMOP number. */
  get autoOnline(): number {
    return this.words[WORD.autoOnline]!;
  }
  set autoOnline(type: number) {
    assert(ONLINE_TYPES[type] !== undefined, () => `${type} is an online type`);
    this.words[WORD.autoOnline] = type;
  }

  /** max_pfn: end of memory as the kernel knows it, in frames. Only ever grows. */
  get maxPfn(): number {
    return this.words[WORD.maxPfn]!;
  }
  raiseMaxPfn(pfn: number): void {
    this.words[WORD.maxPfn] = Math.max(this.maxPfn, pfn);
  }

  /** Fault injection: the n-th arch_add_memory from now fails with -ENOMEM; 0: none. */
  failArchAdd(n: number): void {
    this.words[WORD.archAddFails] = n;
  }
  /** Fault injection: the n-th creation of block devices from now fails with -ENOMEM; 0: none. */
  failCreateBlocks(n: number): void {
    this.words[WORD.createFails] = n;
  }
  /** Counts one arch_add_memory down. @returns whether it has to fail */
  archAddFails(): boolean {
    return this.countDown(WORD.archAddFails);
  }
  createBlocksFails(): boolean {
    return this.countDown(WORD.createFails);
  }

  /** The node has CPUs: it is online now and stays so. */
  addCpuNode(node: number): void {
    this.nodeCpus[node] = 1;
    this.nodeOnline[node] = 1;
  }
  /** try_offline_node(): a node without memory blocks and CPUs goes offline. */
  tryOfflineNode(node: number): void {
    if (this.nodeBlocks[node] === 0 && this.nodeCpus[node] === 0) this.nodeOnline[node] = 0;
  }

  /** A signal for the task that is offlining; -1: none. Offlining backs off at the next page it looks at. */
  signal(task: number): void {
    this.words[WORD.signalled] = task + 1;
  }
  signalFor(task: number): boolean {
    return this.words[WORD.signalled] === task + 1;
  }

  blockOf(address: number): number {
    return Math.floor(address / this.blockSize);
  }

  /** Row of a block that exists or whose leaf does; -1 otherwise. */
  rowOf(block: number): number {
    const leaf = this.root[Math.floor(block / this.leafBlocks)];
    return leaf === undefined || leaf === NIL ? NIL : leaf * this.leafBlocks + (block % this.leafBlocks);
  }

  stateOf(block: number): number {
    const row = this.rowOf(block);
    return row === NIL ? BLOCK.ABSENT : this.states[row]!;
  }

  /** Makes an absent block exist. */
  add(block: number, state: number, node: number, zone: number, altmapPages: number, group: number): void {
    const row = this.makeRow(block);
    assert(this.states[row] === BLOCK.ABSENT, () => `memory block ${block} is not there yet`);
    this.states[row] = state;
    this.nodes[row] = node;
    this.zones[row] = zone;
    this.altmapPages[row] = altmapPages;
    this.groups[row] = group;
    this.nodeBlocks[node]!++;
  }

  remove(block: number): void {
    const row = this.rowOf(block);
    assert(row !== NIL && this.states[row] === BLOCK.OFFLINE, () => `memory block ${block} is offline`);
    this.states[row] = BLOCK.ABSENT;
    this.nodeBlocks[this.nodes[row]!]!--;
    this.zones[row] = NO_SINGLE_ZONE;
    this.altmapPages[row] = 0;
    this.groups[row] = 0;
    this.reonline[row] = MMOP.OFFLINE;
  }

  /** Remembers where the memmap of section number `section` was allocated; -1 forgets it. */
  setMemmap(section: number, pfn: number): void {
    const row = this.makeRow(Math.floor(section / this.sectionsPerBlock));
    this.memmaps[row * this.sectionsPerBlock + (section % this.sectionsPerBlock)] = pfn;
  }

  memmapOf(section: number): number {
    const row = this.rowOf(Math.floor(section / this.sectionsPerBlock));
    return row === NIL ? NIL : this.memmaps[row * this.sectionsPerBlock + (section % this.sectionsPerBlock)]!;
  }

  /** Numbers of the blocks that exist, ascending. For reports. */
  present(): number[] {
    const blocks: number[] = [];
    for (const [index, leaf] of this.root.entries()) {
      if (leaf === NIL) continue;
      for (let at = 0; at < this.leafBlocks; at++) {
        if (this.states[leaf * this.leafBlocks + at] !== BLOCK.ABSENT)
          blocks.push(index * this.leafBlocks + at);
      }
    }
    return blocks;
  }

  /** The arrays that a snapshot copies. */
  views(): ArrayBufferView[] {
    return [
      ...[this.states, this.zones, this.nodes, this.reonline, this.altmapPages, this.groups, this.memmaps],
      ...[this.words, this.nodeOnline, this.nodeBlocks, this.nodeCpus, this.root],
    ];
  }

  private countDown(word: number): boolean {
    const left = this.words[word]!;
    if (left === 0) return false;
    this.words[word] = left - 1;
    return left === 1;
  }

  private makeRow(block: number): number {
    const index = Math.floor(block / this.leafBlocks);
    assert(0 <= block && index < this.root.length, () => `memory block ${block} lies in the address space`);
    if (this.root[index] === NIL) {
      const leaf = this.words[WORD.leaves]!++;
      this.root[index] = leaf;
      if ((leaf + 1) * this.leafBlocks > this.states.length) this.grow((leaf + 1) * this.leafBlocks);
      this.clearLeaf(leaf);
    }
    return this.rowOf(block);
  }

  /** Rows may hold what a machine did before a snapshot of its earlier state was put back. */
  private clearLeaf(leaf: number): void {
    const [from, to] = [leaf * this.leafBlocks, (leaf + 1) * this.leafBlocks];
    for (const column of [this.states, this.nodes, this.reonline, this.altmapPages, this.groups])
      column.fill(0, from, to);
    this.zones.fill(NO_SINGLE_ZONE, from, to);
    this.memmaps.fill(NIL, from * this.sectionsPerBlock, to * this.sectionsPerBlock);
  }

  private grow(rows: number): void {
    const wider = <A extends Uint8Array | Uint32Array | Int32Array | Float64Array>(old: A, fresh: A): A => {
      fresh.set(old);
      return fresh;
    };
    this.states = wider(this.states, new Uint8Array(rows));
    this.zones = wider(this.zones, new Uint8Array(rows));
    this.nodes = wider(this.nodes, new Uint8Array(rows));
    this.reonline = wider(this.reonline, new Uint8Array(rows));
    this.altmapPages = wider(this.altmapPages, new Uint32Array(rows));
    this.groups = wider(this.groups, new Int32Array(rows));
    this.memmaps = wider(this.memmaps, new Float64Array(rows * this.sectionsPerBlock));
  }
}
