// A zip file, with its entries as they are: PNG files are compressed already.

const littleEndian = (n, size) => Array.from({ length: size }, (_, k) => n >>> (8 * k));
const UTF8_NAMES = 0x0800;

// The bytes of a zip file of `files`: [{ path, bytes }].
function zip(files) {
  const time = dosTime(new Date());
  const [entries, directory] = [[], []];
  let at = 0;
  for (const { path, bytes } of files) {
    const name = new TextEncoder().encode(path);
    const facts = [
      ...littleEndian(20, 2), ...littleEndian(UTF8_NAMES, 2), ...littleEndian(0, 2), ...time,
      ...littleEndian(crc32(bytes), 4), ...littleEndian(bytes.length, 4), ...littleEndian(bytes.length, 4),
      ...littleEndian(name.length, 2), ...littleEndian(0, 2),
    ];
    const place = [...littleEndian(0, 10), ...littleEndian(at, 4)]; // no comment, first disk, no attributes
    entries.push([0x50, 0x4b, 3, 4, ...facts], name, bytes);
    directory.push([0x50, 0x4b, 1, 2, ...littleEndian(20, 2), ...facts, ...place], name);
    at += 30 + name.length + bytes.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const count = littleEndian(files.length, 2);
  const end = [0x50, 0x4b, 5, 6, 0, 0, 0, 0, ...count, ...count];
  return joined(...entries, ...directory, [...end, ...littleEndian(size, 4), ...littleEndian(at, 4), 0, 0]);
}

// Four bytes: time and date as MS-DOS wrote them.
function dosTime(date) {
  const time = (date.getHours() << 11) | (date.getMinutes() << 5) | (date.getSeconds() >> 1);
  const day = ((date.getFullYear() - 1980) << 9) | ((date.getMonth() + 1) << 5) | date.getDate();
  return [...littleEndian(time, 2), ...littleEndian(day, 2)];
}
