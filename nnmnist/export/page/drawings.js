// The drawings whose right class is known, in the order in which they were made.
//
// A drawing is { number, name, seen, original, stored, downloaded }: its number, from 1; the name of its class; the
// (784,) bytes that the network read, before its `normalize`; the PNG file of the picture from which they were
// prepared; whether it survives a reload of the page; and whether it is in a zip file that was downloaded. Its number
// is never used again. The strip adds `item`, the element that shows it.

let drawings = [];
let removed = []; // the last ones that were removed, which can be put back
let lastNumber = 0;

// The browser's storage may be shared by all pages that are opened from files.
const PREFIX = `nnmnist drawings ${crc32(
  new TextEncoder().encode(JSON.stringify([location.pathname, model.classes, model.prepare])),
).toString(16)} `;
const MAX_STORED = 1_000_000; // bytes of an original; the storage has about five million for all
const storage = openStorage();

function openStorage() {
  try {
    return localStorage;
  } catch {
    return null; // it is not allowed
  }
}

function keep(name, seen, picture) {
  lastNumber++;
  write("last", lastNumber);
  const drawing = { number: lastNumber, name, seen, original: png(picture), stored: false, downloaded: false };
  store(drawing);
  drawings.push(drawing);
}

function store(drawing) {
  const { number, name, seen, original } = drawing;
  if (original.length > MAX_STORED) return;
  const text = JSON.stringify({ name, seen: base64(seen), original: base64(original) });
  drawing.stored = write(number, text);
}

// Whether the storage took it: there may be none, or it may be full.
function write(key, text) {
  try {
    storage.setItem(PREFIX + key, text);
    return true;
  } catch {
    return false;
  }
}

const base64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
const bytesOf = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

// Reads what is stored: by this page earlier, or in another tab.
function load() {
  if (!storage) return;
  const keys = Object.keys(storage).filter((key) => key.startsWith(PREFIX));
  const numbers = keys.map((key) => Number(key.slice(PREFIX.length))).filter(Number.isInteger);
  lastNumber = Math.max(lastNumber, Number(storage.getItem(`${PREFIX}last`)), ...numbers);
  const found = numbers.map(stored).filter(Boolean);
  drawings = [...drawings.filter((drawing) => !drawing.stored), ...found].sort(byNumber);
}

const byNumber = (one, other) => one.number - other.number;

function stored(number) {
  try {
    const { name, seen, original } = JSON.parse(storage.getItem(PREFIX + number));
    return { number, name, seen: bytesOf(seen), original: bytesOf(original), stored: true, downloaded: false };
  } catch {
    return null; // not written by this page
  }
}

function take(taken) {
  drawings = drawings.filter((drawing) => !taken.includes(drawing));
  for (const drawing of taken) {
    if (drawing.stored) storage.removeItem(PREFIX + drawing.number);
    drawing.stored = false;
  }
}

function remove(taken) {
  take(taken);
  removed = taken;
}

function putBack() {
  removed.forEach(store);
  drawings = [...drawings, ...removed].sort(byNumber);
  removed = [];
}

// The bytes of the zip file. `nnmnist` reads the folders of the classes; it leaves out names that begin with a dot.
//
//     7/0012.png             28x28, 8-bit grey: what the network read
//     .originals/7/0012.png  8-bit grey: the whole drawing, as it was prepared, or the picture that was opened
function zipped() {
  return zip(drawings.flatMap(({ number, name, seen, original }) => {
    const path = `${folderOf(name)}/${String(number).padStart(4, "0")}.png`;
    const image = png({ rows: SIDE, columns: SIDE, pixels: seen });
    return [{ path, bytes: image }, { path: `.originals/${path}`, bytes: original }];
  }));
}

// The name of a class as the name of a folder on every system; what it must not have is percent-encoded.
function folderOf(name) {
  const encoded = (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
  return name.replace(/[%/\\:*?"<>|\x00-\x1f\x7f]|^\.+|[. ]+$/g, (part) => Array.from(part, encoded).join("")) || "%";
}
