import { SMALL_CHUNK, TagChunks } from "./tag-chunks.ts";

/**
 * What the module does to the content of private pages. The default keeps one tag a frame; a world with
 * real bytes puts its own store here.
 */
export interface PageStore {
  /** Zeroes `count` frames from host frame `frame` on. They lie in one 2 MiB host page. */
  zero(frame: number, count: number): void;
  /** TDH.MEM.PAGE.ADD: copies the page of host frame `source` to `frame`. */
  copy(frame: number, source: number): void;
  /** TDG.MEM.PAGE.RELEASE where the module is told to scramble: makes the content unpredictable. */
  scramble(frame: number, count: number): void;
}

/** Tag of a page that is all zero. */
export const ZERO_CONTENT = 0;
/** Tag of a page whose content the module destroyed. */
export const SCRAMBLED_CONTENT = 254;

/**
 * Content as one tag a host frame: 0 is all zero, any other value up to 254 stands for whoever wrote last.
 * A 2 MiB host page whose frames all have the same tag costs one byte.
 */
export class TagStore implements PageStore {
  readonly tags: TagChunks;

  constructor() {
    this.tags = new TagChunks();
  }

  zero(frame: number, count: number): void {
    this.tags.fill(frame, count, ZERO_CONTENT);
  }
  copy(frame: number, source: number): void {
    this.tags.fill(frame, 1, this.tags.get(source));
  }
  scramble(frame: number, count: number): void {
    this.tags.fill(frame, count, SCRAMBLED_CONTENT);
  }

  /** The tag of a frame. */
  content(frame: number): number {
    return this.tags.get(frame);
  }
  /** How many of `count` frames from `frame` on are all zero. */
  zeroFrames(frame: number, count: number): number {
    return this.tags.count(frame, count, ZERO_CONTENT);
  }
  /** Somebody wrote the whole frame. */
  stamp(frame: number, tag: number): void {
    this.tags.fill(frame, 1, tag);
  }
  /** Somebody wrote a run of frames that lies in one 2 MiB host page. */
  stampRun(frame: number, count: number, tag: number): void {
    if (count === SMALL_CHUNK) this.tags.fill(frame, count, tag);
    else for (let i = 0; i < count; i++) this.tags.fill(frame + i, 1, tag);
  }
}
