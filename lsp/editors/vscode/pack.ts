// Packs the extension as a .vsix: a zip of the manifest, the extension and what it needs at run time.

import * as fs from "node:fs";
import * as path from "node:path";
import * as zlib from "node:zlib";

const root = path.resolve(__dirname, "..");
const manifest = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8"));

function filesBelow(dir: string): string[] {
  return fs.readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const full = path.join(dir, entry.name);
    return entry.isDirectory() ? filesBelow(full) : entry.isFile() ? [full] : [];
  });
}

// What the extension needs at run time: its dependencies, and theirs.
function needed(name: string, seen: Set<string>): void {
  if (seen.has(name)) {
    return;
  }
  seen.add(name);
  const found = JSON.parse(fs.readFileSync(path.join(root, "node_modules", name, "package.json"), "utf8"));
  Object.keys(found.dependencies ?? {}).forEach((dependency) => needed(dependency, seen));
}

function crc32(data: Buffer): number {
  let crc = ~0;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    }
  }
  return ~crc >>> 0;
}

function zip(files: [string, Buffer][]): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const [name, data] of files) {
    const packed = zlib.deflateRawSync(data);
    const encoded = Buffer.from(name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(0x800, 2);
    common.writeUInt16LE(8, 4);
    common.writeUInt16LE(0x21, 8);
    common.writeUInt32LE(crc32(data), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(data.length, 18);
    common.writeUInt16LE(encoded.length, 22);
    local.push(Buffer.from("PK\x03\x04", "latin1"), common, encoded, packed);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    central.push(Buffer.from("PK\x01\x02\x14\x03", "latin1"), common, tail, encoded);
    offset += 4 + common.length + encoded.length + packed.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(files.length, 4);
  end.writeUInt16LE(files.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...local, directory, Buffer.from("PK\x05\x06", "latin1"), end]);
}

const modules = new Set<string>();
Object.keys(manifest.dependencies).forEach((name) => needed(name, modules));
const contents = [
  ...["package.json", "language-configuration.json", "README.md"].map((name) => path.join(root, name)),
  ...filesBelow(path.join(root, "syntaxes")),
  ...filesBelow(path.join(root, "out", "src")),
  ...[...modules].flatMap((name) => filesBelow(path.join(root, "node_modules", name))).filter((f) => !f.endsWith(".map") && !f.endsWith(".d.ts")),
];
const types = [...new Set(contents.map((f) => path.extname(f)).filter((e) => e !== ""))];
const typesXml = `<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">${[...types, ".vsixmanifest"]
  .map((e) => `<Default Extension="${e.slice(1)}" ContentType="${e === ".vsixmanifest" ? "text/xml" : "application/octet-stream"}"/>`)
  .join("")}</Types>`;
const vsix = `<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
  <Metadata>
    <Identity Language="en-US" Id="${manifest.name}" Version="${manifest.version}" Publisher="${manifest.publisher}"/>
    <DisplayName>${manifest.displayName}</DisplayName>
    <Description xml:space="preserve">${manifest.description}</Description>
    <Categories>${manifest.categories.join(",")}</Categories>
    <Properties><Property Id="Microsoft.VisualStudio.Code.Engine" Value="${manifest.engines.vscode}"/></Properties>
  </Metadata>
  <Installation><InstallationTarget Id="Microsoft.VisualStudio.Code"/></Installation>
  <Dependencies/>
  <Assets><Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json" Addressable="true"/></Assets>
</PackageManifest>`;
const entries: [string, Buffer][] = [
  ["extension.vsixmanifest", Buffer.from(vsix)],
  ["[Content_Types].xml", Buffer.from(typesXml)],
  ...contents.map((f): [string, Buffer] => {
    // The entry point is where the manifest says.
    const inner = path.relative(root, f).replace(/\\/g, "/").replace(/^out\/src\//, "out/");
    return [`extension/${inner}`, fs.readFileSync(f)];
  }),
];
const target = path.join(root, `${manifest.name}-${manifest.version}.vsix`);
fs.writeFileSync(target, zip(entries));
console.log(`${path.basename(target)}: ${entries.length} files`);
