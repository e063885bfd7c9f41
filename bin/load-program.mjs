// An `import` of Node's own modules asks for all that they export, and so loads streams and source maps with them.
const { accessSync, constants, readFileSync, renameSync, rmSync, writeFileSync } =
  process.getBuiltinModule("node:fs");
const { createRequire } = process.getBuiltinModule("node:module");
const { fileURLToPath } = process.getBuiltinModule("node:url");
const { setFlagsFromString } = process.getBuiltinModule("node:v8");
const { Script } = process.getBuiltinModule("node:vm");

/** Kept code begins with the commands that it was compiled for, filled up with spaces to this many bytes. */
const HEADING = 512;
const NOTHING = { code: undefined, commands: [] };

/**
 * V8 optimizes a function once it has run so many bytes of its code. By default (132 KiB) a command of half a second spends as
 * long on optimizing, most of it too early to be of use: `run` took 0.53 s of processor time and takes 0.31 s. With 400 000,
 * `compare` of seven designs still spends a fifth of its time on that, and 65 ms more than with 700 000; one loop that runs for
 * a second takes 70 ms longer. Long commands do not notice. Measured with V8 11; a later one weighs functions in another way.
 */
const BYTES_BEFORE_OPTIMIZING = 700_000;
const optimizeLater = () => {
  if (process.versions.v8.startsWith("11."))
    setFlagsFromString(`--interrupt-budget=${BYTES_BEFORE_OPTIMIZING}`);
};

/** Flags change what V8 compiles. Node's own switch for code that it keeps is ours too. */
const keepsCode = () =>
  !process.env.NODE_DISABLE_COMPILE_CACHE && !process.env.NODE_OPTIONS && process.execArgv.length === 0;

const codePath = (path) => `${path}.${process.version}-${process.arch}.code`;

/** What earlier runs kept of a part: the code, and the commands that were run. */
const keptCode = (path) => {
  try {
    const bytes = readFileSync(codePath(path));
    if (bytes.length <= HEADING) return NOTHING;
    return {
      code: bytes.subarray(HEADING),
      commands: bytes.toString("latin1", 0, HEADING).trim().split(" "),
    };
  } catch {
    return NOTHING;
  }
};

/** Keeps the code of a part, all or nothing. A folder that cannot be written to has none, and nobody is told. */
const keepCode = ({ path, script, commands }, command) => {
  const heading = [...commands, command].join(" ");
  if (commands.includes(command) || heading.length > HEADING) return;
  const draft = `${codePath(path)}.${process.pid}.new`;
  try {
    accessSync(path, constants.W_OK);
    writeFileSync(draft, Buffer.concat([Buffer.from(heading.padEnd(HEADING)), script.createCachedData()]));
    renameSync(draft, codePath(path));
  } catch {
    rmSync(draft, { force: true });
  }
};

/** One part of dist/, compiled. */
const compile = (path, kept) => {
  const text = `(function(exports,require,module,__filename){${readFileSync(path, "utf8")}\n})`;
  const script = new Script(text, { filename: path, cachedData: kept.code });
  return { path, script, commands: script.cachedDataRejected ? [] : kept.commands };
};

/** Modules of Node that take long to load and that most commands never use. */
const SELDOM = ["node:child_process", "child_process"];

/** A module that is loaded when something of it is first asked for. */
const loadedWhenUsed = (load) =>
  new Proxy(
    {},
    {
      get: (_, name) => load()[name],
      has: (_, name) => name in load(),
      ownKeys: () => Reflect.ownKeys(load()),
      getOwnPropertyDescriptor: (_, name) => Reflect.getOwnPropertyDescriptor(load(), name),
    },
  );

/**
 * Runs the program of dist/, whose parts are CommonJS files that load one another, and Node's modules, by `require`.
 *
 * V8 compiles a function when it is first called, which is a quarter of a run of half a second. So what it
 * compiled for a command is kept beside the parts when the first run of that command ends, and later runs begin
 * with it. V8 refuses code of another version, but knows a text only by its length: a part whose text
 * changes has to change its name.
 *
 * @param url of the module in dist/ that asks @param first file name of the part to begin with
 * @returns what that part exports
 */
export const loadProgram = (url, first) => {
  const folder = fileURLToPath(new URL(".", url));
  const outside = createRequire(url);
  const keeps = keepsCode();
  // Before anything is compiled: kept code is good for the flags that it was made under.
  if (keeps) optimizeLater();
  const parts = [];
  const modules = new Map();
  const load = (name) => {
    const known = modules.get(name);
    if (known !== undefined) return known.exports;
    const path = folder + name;
    const part = compile(path, keeps ? keptCode(path) : NOTHING);
    parts.push(part);
    const module = { exports: {} };
    modules.set(name, module);
    part.script.runInThisContext()(module.exports, require, module, path);
    return module.exports;
  };
  const require = (name) => {
    if (name.startsWith("./")) return load(name.slice(2));
    return SELDOM.includes(name) ? loadedWhenUsed(() => outside(name)) : outside(name);
  };
  if (keeps) {
    process.once("exit", (status) => {
      const [, , word = ""] = process.argv;
      const command = /^[a-z]+$/.test(word) ? word : "-";
      if (status <= 1) for (const part of parts) keepCode(part, command);
    });
  }
  return load(first);
};
