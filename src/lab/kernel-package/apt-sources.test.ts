import fc from "fast-check";
import { expect, it } from "vitest";
import { debianArchives, parseDeb822Sources, parseOneLineSources } from "./apt-sources.ts";

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

it("a deb822 file gives a source for each of its URIs, with its suites, components and keyring", () => {
  const text = `# a mirror\nTypes: deb deb-src\nURIs: http://a.example/debian\n http://b.example/debian\nSuites: bookworm bookworm-updates
Components: main\n# a comment\nSigned-By: ${KEYRING}\n\nTypes: deb\nURIs: http://c.example/debian-security\nSuites: bookworm-security\nComponents: main contrib\n`;
  expect(parseDeb822Sources(text)).toEqual([
    {
      uri: "http://a.example/debian",
      suites: ["bookworm", "bookworm-updates"],
      components: ["main"],
      signedBy: KEYRING,
    },
    {
      uri: "http://b.example/debian",
      suites: ["bookworm", "bookworm-updates"],
      components: ["main"],
      signedBy: KEYRING,
    },
    {
      uri: "http://c.example/debian-security",
      suites: ["bookworm-security"],
      components: ["main", "contrib"],
      signedBy: undefined,
    },
  ]);
});

it("a source that is switched off, or of source packages alone, is none", () => {
  expect(
    parseDeb822Sources("Types: deb\nEnabled: no\nURIs: http://a.example\nSuites: s\nComponents: main"),
  ).toEqual([]);
  expect(parseDeb822Sources("Types: deb-src\nURIs: http://a.example\nSuites: s\nComponents: main")).toEqual(
    [],
  );
});

it("a key written into the file is no path of a keyring", () => {
  const text =
    "Types: deb\nURIs: http://a.example\nSuites: s\nComponents: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n";
  expect(parseDeb822Sources(text)).toMatchObject([{ signedBy: undefined }]);
});

it("a line of sources.list may have options and a comment behind it", () => {
  const text = `deb [arch=amd64 signed-by=${KEYRING}] http://a.example/debian bookworm main contrib # mirror\n#deb http://b.example s main\ndeb-src http://c.example s main\n`;
  expect(parseOneLineSources(text)).toEqual([
    {
      uri: "http://a.example/debian",
      suites: ["bookworm"],
      components: ["main", "contrib"],
      signedBy: KEYRING,
    },
  ]);
});

it("only Debian's own archives count, apart for releases and for security", () => {
  const source = (uri: string, suite: string, signedBy?: string) => ({
    uri,
    suites: [suite],
    components: ["main"],
    signedBy,
  });
  const archives = debianArchives([
    source("http://deb.example/debian", "bookworm"),
    source("http://deb.example/debian/", "bookworm-updates"),
    source("http://deb.example/debian-security", "bookworm-security"),
    source("http://old.example/mirror", "buster/updates", KEYRING),
    source("https://tools.example/apt", "bookworm"),
    source("cdrom:[Debian 12]/", "bookworm", KEYRING),
  ]);
  expect(archives).toEqual({
    main: ["http://deb.example/debian", "http://deb.example/debian/"],
    security: ["http://deb.example/debian-security", "http://old.example/mirror"],
  });
});

it("no text makes a reader throw", () => {
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom("Types: deb", "URIs: http://a", "deb http://a s main", " more", ""),
  );
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      debianArchives([...parseDeb822Sources(lines.join("\n")), ...parseOneLineSources(lines.join("\n"))]);
    }),
  );
});
