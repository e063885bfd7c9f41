/** What has to be undone, in reverse order, whatever happened in between. */
export class Cleanup {
  private readonly undo: (() => void | Promise<void>)[] = [];

  /** Remembers how to undo what was just done. */
  add(undo: () => void | Promise<void>): void {
    this.undo.push(undo);
  }

  /** Undoes everything. A part that fails keeps no other from being undone. Harmless when done again. */
  async run(): Promise<void> {
    for (let undo = this.undo.pop(); undo !== undefined; undo = this.undo.pop()) {
      try {
        await undo();
      } catch {
        // It is gone already: undoing goes on.
      }
    }
  }
}
