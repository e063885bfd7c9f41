/** A repository that the machine's apt is told of. */
export interface AptSource {
  readonly uri: string;
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** Keyring that has to have signed it; undefined if the machine's trusted keys do. */
  readonly signedBy: string | undefined;
}

/** One line of sources.list: `deb [options] URI SUITE COMPONENT...`. */
const ONE_LINE = /^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)((?:\s+\S+)*)\s*$/;

/** Reads a file in the one-line format. Lines for sources, comments and what is no line are left out. */
export const parseOneLineSources = (text: string): AptSource[] =>
  text.split("\n").flatMap((line) => {
    const match = ONE_LINE.exec(line.replace(/#.*/, "").trim());
    if (match === null) return [];
    const [, options = "", uri = "", suite = "", components = ""] = match;
    const signedBy = /(?:^|\s)signed-by=(\S+)/.exec(options)?.[1];
    return [{ uri, suites: [suite], components: wordsOf(components), signedBy }];
  });

const wordsOf = (text: string | undefined): string[] =>
  text?.split(/\s+/).filter((word) => word !== "") ?? [];

/** Fields of one stanza of a deb822 file, in lower case; a line that begins with a blank continues the one before. */
export const deb822Fields = (stanza: string): ReadonlyMap<string, string> => {
  const fields = new Map<string, string>();
  let last = "";
  for (const line of stanza.split("\n")) {
    const match = /^([!-9;-~]+):[ \t]*(.*)$/.exec(line);
    if (line.startsWith("#")) continue;
    if (match !== null) {
      last = match[1]!.toLowerCase();
      fields.set(last, match[2]!.trim());
    } else if (/^[ \t]/.test(line) && last !== "") fields.set(last, `${fields.get(last)}\n${line.trim()}`);
  }
  return fields;
};

/** The stanzas of a deb822 file. */
export const deb822Stanzas = (text: string): ReadonlyMap<string, string>[] =>
  text
    .replace(/\r/g, "")
    .split(/\n(?:[ \t]*\n)+/)
    .map(deb822Fields)
    .filter(({ size }) => size > 0);

/** Reads a file in the deb822 format. What is switched off, or for sources alone, is left out. */
export const parseDeb822Sources = (text: string): AptSource[] =>
  deb822Stanzas(text).flatMap((fields) => {
    const binary = wordsOf(fields.get("types")).includes("deb");
    if (!binary || /^(no|false|0|without|off|disable)$/i.test(fields.get("enabled") ?? "")) return [];
    const suites = wordsOf(fields.get("suites"));
    const components = wordsOf(fields.get("components"));
    const keyring = fields.get("signed-by");
    const signedBy = keyring?.startsWith("/") ? keyring : undefined;
    return wordsOf(fields.get("uris")).map((uri) => ({ uri, suites, components, signedBy }));
  });

/** The hosts that this machine gets Debian from. */
export interface DebianArchives {
  /** Where the releases and their backports are. */
  readonly main: readonly string[];
  /** Where security updates are. */
  readonly security: readonly string[];
}

const isDebians = ({ uri, components, signedBy }: AptSource): boolean =>
  components.includes("main") &&
  !uri.startsWith("cdrom:") &&
  (/\/debian-archive-/.test(signedBy ?? "") || /\/debian(?:-security)?\/?$/.test(uri));

/** Takes Debian's own archives out of the machine's sources; others, such as those of one program, are left alone. */
export const debianArchives = (sources: readonly AptSource[]): DebianArchives => {
  const debians = sources.filter(isDebians);
  const isSecurity = ({ suites }: AptSource): boolean =>
    suites.some((suite) => /(?:-security|\/updates)$/.test(suite));
  const uris = (some: readonly AptSource[]): string[] => [...new Set(some.map(({ uri }) => uri))];
  return {
    main: uris(debians.filter((source) => !isSecurity(source))),
    security: uris(debians.filter(isSecurity)),
  };
};
