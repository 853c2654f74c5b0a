// PNG files of grey pictures. A canvas could write them too, but some browsers change its pixels on purpose.

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

// The CRC-32 that PNG and zip use, of some arrays of bytes, one after the other.
function crc32(...parts) {
  let crc = -1;
  for (const bytes of parts) for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

// One Uint8Array of some arrays of bytes; numbers outside 0 to 255 lose their higher bits.
function joined(...parts) {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const bigEndian = (n) => [n >>> 24, n >>> 16, n >>> 8, n];

// The bytes of a PNG file, 8-bit grey, of a picture { rows, columns, pixels }.
function png({ rows, columns, pixels }) {
  const lines = new Uint8Array(rows * (columns + 1)); // a line begins with the number of its filter: 0, none
  for (let row = 0; row < rows; row++) {
    lines.set(pixels.subarray(row * columns, (row + 1) * columns), row * (columns + 1) + 1);
  }
  const chunk = (type, data) => {
    const name = Array.from(type, (letter) => letter.charCodeAt(0));
    return joined(bigEndian(data.length), name, data, bigEndian(crc32(name, data)));
  };
  const header = [...bigEndian(columns), ...bigEndian(rows), 8, 0, 0, 0, 0];
  const signature = [137, 80, 78, 71, 13, 10, 26, 10];
  return joined(signature, chunk("IHDR", header), chunk("IDAT", zlib(lines)), chunk("IEND", []));
}

// The fixed Huffman codes of RFC 1951, 3.2.6: [code, its number of bits], the code's last bit as the highest.
const FIXED_CODES = Array.from({ length: 288 }, (_, symbol) => {
  let [code, count] = [0xc0 + symbol - 280, 8];
  if (symbol < 144) [code, count] = [0x30 + symbol, 8];
  else if (symbol < 256) [code, count] = [0x190 + symbol - 144, 9];
  else if (symbol < 280) [code, count] = [symbol - 256, 7];
  let reversed = 0;
  for (let bit = 0; bit < count; bit++) reversed |= ((code >> bit) & 1) << (count - 1 - bit);
  return [reversed, count];
});
const LONGEST_RUN = 257;

// Bytes compressed as zlib data (RFC 1950). It only shortens runs of one byte: most of a drawing is background.
function zlib(bytes) {
  const out = new Uint8Array(16 + Math.ceil((bytes.length * 9) / 8)); // a byte takes nine bits at most
  let [at, bits, count] = [0, 0, 0];
  const put = ([value, n]) => {
    bits |= value << count;
    for (count += n; count >= 8; count -= 8, bits >>>= 8) out[at++] = bits;
  };
  out[at++] = 0x78;
  out[at++] = 0x01;
  put([0b011, 3]); // the only block, with the fixed codes
  for (let i = 0; i < bytes.length; ) {
    let run = 0;
    while (i > 0 && run < LONGEST_RUN && bytes[i + run] === bytes[i - 1]) run++;
    if (run < 3) put(FIXED_CODES[bytes[i++]]);
    else {
      const extra = Math.max(0, 29 - Math.clz32(run - 3)); // bits after the symbol
      put(FIXED_CODES[257 + 4 * extra + ((run - 3) >> extra)]);
      put([(run - 3) & ((1 << extra) - 1), extra]);
      put([0, 5]); // repeats the byte that is one back
      i += run;
    }
  }
  put(FIXED_CODES[256]); // the end
  put([0, 7]); // fills the last byte
  out.set(bigEndian(adler32(bytes)).map((each) => each & 255), at);
  return out.subarray(0, at + 4);
}

function adler32(bytes) {
  let [a, b] = [1, 0];
  for (const byte of bytes) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return ((b << 16) | a) >>> 0;
}
