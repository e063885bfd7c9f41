/** A tar archive of these files. */
export const tarArchive = (files: Readonly<Record<string, string | Uint8Array>>): Uint8Array =>
  Buffer.concat([
    ...Object.entries(files).flatMap(([name, content]) => {
      const block = Buffer.alloc(512);
      block.write(name);
      block.write(`${content.length.toString(8).padStart(11, "0")}\0`, 124);
      block.write("        0", 148);
      block.write("ustar", 257);
      const sum = block.reduce((total, byte) => total + byte, 0);
      block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
      return [block, Buffer.from(content), Buffer.alloc((512 - (content.length % 512)) % 512)];
    }),
    Buffer.alloc(1024),
  ]);
