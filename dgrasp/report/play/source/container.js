// Arrays as dgrasp/report/play/container.py writes them: a safetensors file, compressed with gzip, with rounded numbers
// as byte planes of differences.

const FORMAT = 1;
const READERS = {
  F64: Float64Array, F32: Float32Array, U8: Uint8Array, I32: Int32Array, U32: Uint32Array, U16: Uint16Array,
};

/** What is wrong with a file, in words for the reader. */
export class FileProblem extends Error {}

/** What this browser lacks, in words; wanted: {name: words}. */
export const lacking = (wanted) => Object.entries(wanted).filter(([name]) => !(name in globalThis)).map(([, text]) => text);

/** Bytes of base64. */
export const decoded = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
const DIGIT = new Int8Array(128).fill(-1);
[...DIGITS].forEach((character, value) => (DIGIT[character.charCodeAt(0)] = value));

/** Bytes of base85 as Python writes it: 1.25 characters a byte, where base64 takes 1.33. Throws for other characters. */
export function decoded85(text) {
  const missing = (5 - text.length % 5) % 5;
  const whole = text + DIGITS.at(-1).repeat(missing);
  const bytes = new Uint8Array(whole.length / 5 * 4);
  const view = new DataView(bytes.buffer);
  let strange = 0;
  for (let i = 0; i < whole.length; i += 5) {
    let word = 0;
    for (let k = i; k < i + 5; k++) {
      const digit = DIGIT[whole.charCodeAt(k) & 127];
      strange |= digit; // negative from the first such character on
      word = word * 85 + digit;
    }
    view.setUint32(i / 5 * 4, word);
  }
  if (strange < 0) throw new RangeError("no base85");
  return bytes.subarray(0, bytes.length - missing);
}

/** The decompressed bytes of a file; gzip's own checksum finds damage. */
export async function inflate(bytes) {
  try {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return await new Response(stream).arrayBuffer();
  } catch (error) {
    throw new FileProblem(`the file is damaged or incomplete (${bytes.byteLength} bytes arrived); load the page again`);
  }
}

/** A loader that asks once for a file that is on its way, and gives its bytes to all who want it. */
export function askingOnce(load) {
  const open = new Map();
  return (kind, id) => {
    const key = `${kind} ${id}`;
    if (!open.has(key)) open.set(key, load(kind, id).finally(() => open.delete(key)));
    return open.get(key);
  };
}

/** What a decompressed file says, and its arrays by name: {facts, arrays: {name: {data, shape}}}. */
export function readFile(buffer, kind) {
  const header = headerOf(buffer);
  const facts = JSON.parse(header.__metadata__?.dgrasp ?? "{}");
  if (facts.format !== FORMAT) {
    throw new FileProblem(`the file has format ${facts.format}, this page reads format ${FORMAT}; export it again`);
  }
  if (facts.kind !== kind) throw new FileProblem(`expected a ${kind}, the file holds a ${facts.kind}`);
  const arrays = {};
  const start = 8 + Number(new DataView(buffer).getBigUint64(0, true));
  for (const [name, entry] of Object.entries(header)) {
    if (name !== "__metadata__") arrays[name] = arrayOf(buffer, start, name, entry);
  }
  return { facts, arrays };
}

function headerOf(buffer) {
  try {
    const length = Number(new DataView(buffer).getBigUint64(0, true));
    return JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  } catch (error) {
    throw new FileProblem("the file is no safetensors file; load the page again");
  }
}

function arrayOf(buffer, start, name, { dtype, shape, data_offsets: [first, last] }) {
  const Reader = READERS[dtype];
  if (!Reader || start + last > buffer.byteLength) {
    throw new FileProblem(`array ${name}: ${Reader ? "reaches beyond the file" : `unknown type ${dtype}`}`);
  }
  return { data: new Reader(buffer.slice(start + first, start + last)), shape };
}

/** The numbers of a rounded array, written to `target` channels last, rows of `width` (or as many as there are). */
export function unroundInto(file, name, target, width) {
  const planes = file.arrays[`${name}.planes`];
  const [count, channels, rows] = planes.shape;
  const low = file.arrays[`${name}.low`].data, step = file.arrays[`${name}.step`].data;
  const mask = 2 ** (8 * count) - 1, size = channels * rows, stride = width ?? channels;
  for (let c = 0; c < channels; c++) {
    let whole = 0;
    for (let row = 0, at = c * rows; row < rows; row++, at++) {
      let difference = 0;
      for (let k = 0; k < count; k++) difference |= planes.data[k * size + at] << (8 * k);
      whole = (whole + difference) & mask;
      target[row * stride + c] = low[c] + step[c] * whole;
    }
  }
}

/** An array by name, rounded or not: {data, shape}. */
export function arrayNamed(file, name) {
  if (file.arrays[name]) return file.arrays[name];
  const shape = file.facts.rounded?.[name];
  if (!shape) throw new FileProblem(`array ${name} is missing in the file`);
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  unroundInto(file, name, data);
  return { data, shape };
}

/** Whether the file has an array of that name. */
export function hasArray(file, name) {
  return name in file.arrays || name in (file.facts.rounded ?? {});
}
