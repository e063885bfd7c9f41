import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { KernelFileError } from "../kernel-file-error.ts";
import { naming, readKernelFile } from "./load.ts";
import { type KernelModule, moduleName, readModule } from "./module-file.ts";

/** A module with the file it was read from. */
export interface ModuleFile {
  readonly path: string;
  readonly module: KernelModule;
}

const SUFFIX = /\.ko(?:\.(?:xz|zst|gz|lz4|bz2))?$/;

/** The name of the module in a file; undefined if the file is no module. */
export const moduleOfFile = (path: string): string | undefined => {
  const file = basename(path);
  return SUFFIX.test(file) ? moduleName(file.replace(SUFFIX, "")) : undefined;
};

/** Lines of a file of the tree, which may not be there. */
const linesOf = async (path: string): Promise<string[]> =>
  existsSync(path)
    ? Buffer.from(await readKernelFile(path))
        .toString("utf8")
        .split("\n")
    : [];

/**
 * The modules of one kernel release, in the folder lib/modules/RELEASE. It needs no depmod: a package that was only
 * unpacked has no modules.dep, so what depends on what is read from the modules.
 */
export class ModuleTree {
  readonly folder: string;
  readonly #paths: ReadonlyMap<string, string>;
  readonly #builtin: ReadonlySet<string>;

  private constructor(folder: string, paths: ReadonlyMap<string, string>, builtin: ReadonlySet<string>) {
    this.folder = folder;
    this.#paths = paths;
    this.#builtin = builtin;
  }

  /** @throws KernelFileError if the folder cannot be read or has no modules */
  static async open(folder: string): Promise<ModuleTree> {
    const paths = new Map<string, string>();
    for (const file of await filesBelow(folder)) {
      const name = moduleOfFile(file);
      if (name !== undefined) paths.set(name, join(folder, "kernel", file));
    }
    if (paths.size === 0) throw new KernelFileError(`${folder}: expected modules below kernel/, found none`);
    const builtin = (await linesOf(join(folder, "modules.builtin"))).map(moduleOfFile);
    return new ModuleTree(folder, paths, new Set(builtin.filter((name) => name !== undefined)));
  }

  get count(): number {
    return this.#paths.size;
  }

  /** True if the kernel has it without loading a module, as far as modules.builtin tells. */
  isBuiltin(name: string): boolean {
    return this.#builtin.has(moduleName(name));
  }

  /** Where the module's file lies; undefined if the tree has none of this name. */
  pathOf(name: string): string | undefined {
    return this.#paths.get(moduleName(name));
  }

  /** @throws KernelFileError if the tree has no such module, or its file is damaged */
  async read(name: string): Promise<ModuleFile> {
    const path = this.pathOf(name);
    if (path === undefined)
      throw new KernelFileError(`${this.folder}: expected a module ${moduleName(name)}, found none`);
    const file = await readKernelFile(path);
    return { path, module: await naming(path, () => readModule(file)) };
  }

  /**
   * The modules to load for some, in an order that insmod takes: what a module needs comes before it, each once.
   * What is built in is left out.
   *
   * @throws KernelFileError if one is missing, or modules need each other in a circle
   */
  async closure(names: readonly string[]): Promise<ModuleFile[]> {
    const loaded: ModuleFile[] = [];
    const done = new Set<string>();
    const visit = async (name: string, above: readonly string[]): Promise<void> => {
      if (done.has(name) || (this.isBuiltin(name) && this.pathOf(name) === undefined)) return;
      if (above.includes(name))
        throw new KernelFileError(
          `${this.folder}: modules need each other: ${[...above, name].join(" -> ")}`,
        );
      const file = await this.read(name);
      for (const needed of file.module.depends) await visit(needed, [...above, name]);
      done.add(name);
      loaded.push(file);
    };
    for (const name of names) await visit(moduleName(name), []);
    return loaded;
  }
}

const filesBelow = async (folder: string): Promise<string[]> => {
  try {
    return (await readdir(join(folder, "kernel"), { recursive: true })).sort();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new KernelFileError(`${folder}: modules cannot be read: ${reason}`, { cause });
  }
};
