// Built by tools/play_module.py from ../source; do not edit. Sources: 74886fb2b2c68a4f5b0249fadda6f549a86dffda4919e28f91677cc2dc1892c8

// --- container.js
// Arrays as dgrasp/report/play/container.py writes them: a safetensors file, compressed with gzip, with rounded numbers
// as byte planes of differences.

const FORMAT = 1;
const READERS = {
  F64: Float64Array, F32: Float32Array, U8: Uint8Array, I32: Int32Array, U32: Uint32Array, U16: Uint16Array,
};

/** What is wrong with a file, in words for the reader. */
class FileProblem extends Error {}

/** What this browser lacks, in words; wanted: {name: words}. */
const lacking = (wanted) => Object.entries(wanted).filter(([name]) => !(name in globalThis)).map(([, text]) => text);

/** Bytes of base64. */
const decoded = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
const DIGIT = new Int8Array(128).fill(-1);
[...DIGITS].forEach((character, value) => (DIGIT[character.charCodeAt(0)] = value));

/** Bytes of base85 as Python writes it: 1.25 characters a byte, where base64 takes 1.33. Throws for other characters. */
function decoded85(text) {
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
async function inflate(bytes) {
  try {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return await new Response(stream).arrayBuffer();
  } catch (error) {
    throw new FileProblem(`the file is damaged or incomplete (${bytes.byteLength} bytes arrived); load the page again`);
  }
}

/** A loader that asks once for a file that is on its way, and gives its bytes to all who want it. */
function askingOnce(load) {
  const open = new Map();
  return (kind, id) => {
    const key = `${kind} ${id}`;
    if (!open.has(key)) open.set(key, load(kind, id).finally(() => open.delete(key)));
    return open.get(key);
  };
}

/** What a decompressed file says, and its arrays by name: {facts, arrays: {name: {data, shape}}}. */
function readFile(buffer, kind) {
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
function unroundInto(file, name, target, width) {
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
function arrayNamed(file, name) {
  if (file.arrays[name]) return file.arrays[name];
  const shape = file.facts.rounded?.[name];
  if (!shape) throw new FileProblem(`array ${name} is missing in the file`);
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  unroundInto(file, name, data);
  return { data, shape };
}

/** Whether the file has an array of that name. */
function hasArray(file, name) {
  return name in file.arrays || name in (file.facts.rounded ?? {});
}

// --- poses.js
// Poses in SE(3), as dgrasp/poses.py has them. A pose is 12 numbers: the first three rows of T_world_tcp, metres.

const normalized = (v) => {
  const length = Math.max(Math.hypot(...v), 1e-12);
  return v.map((x) => x / length);
};
const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const column = (T, k) => [T[k], T[4 + k], T[8 + k]];
const positionOf = (T) => [T[3], T[7], T[11]];

/** A pose from a rotation (9 numbers, row by row) and a position. */
function poseOf(R, p) {
  return [R[0], R[1], R[2], p[0], R[3], R[4], R[5], p[1], R[6], R[7], R[8], p[2]];
}

const rotationOf = (T) => [T[0], T[1], T[2], T[4], T[5], T[6], T[8], T[9], T[10]];

/** A point of the pose's frame in the world. */
function placed(T, p) {
  return [0, 4, 8].map((r) => T[r] * p[0] + T[r + 1] * p[1] + T[r + 2] * p[2] + T[r + 3]);
}

function times(A, B) {
  const C = new Array(9);
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) C[3 * i + j] = A[3 * i] * B[j] + A[3 * i + 1] * B[3 + j] + A[3 * i + 2] * B[6 + j];
  }
  return C;
}

/** Rotation of a unit quaternion (x, y, z, w). */
function ofQuaternion([x, y, z, w]) {
  return [
    1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
    2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
    2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
  ];
}

/** Unit quaternion of a rotation, by its largest component. */
function toQuaternion(R) {
  const [a, b, c, d, e, f, g, h, i] = R;
  const all = [
    [1 + a - e - i, b + d, c + g, h - f], [b + d, 1 - a + e - i, f + h, c - g],
    [c + g, f + h, 1 - a - e + i, d - b], [h - f, c - g, d - b, 1 + a + e + i],
  ];
  const largest = [0, 1, 2, 3].reduce((best, k) => (all[k][k] > all[best][best] ? k : best), 0);
  return normalized(all[largest]);
}

/** Gradient in a vector from that in its normalised self. */
function throughNorm(v, g) {
  const length = Math.max(Math.hypot(...v), 1e-12), n = v.map((x) => x / length), along = dot(n, g);
  return g.map((x, i) => (x - along * n[i]) / length);
}

const QUAT = {
  dim: 7,
  toPose: (v) => poseOf(ofQuaternion(normalized(v.slice(3))), v),
  fromPose: (T) => [...positionOf(T), ...toQuaternion(rotationOf(T))],
  normalize: (v) => [...v.slice(0, 3), ...normalized(v.slice(3))],
  /** Gradient in the vector from that in the pose's 12 numbers. */
  slope(v, g) {
    const [x, y, z, w] = normalized(v.slice(3));
    const [a, b, c, d, e, f, h, i, j] = rotationOf(g);
    const of = [
      2 * (y * (b + d) + z * (c + h) - 2 * x * (e + j) + w * (i - f)),
      2 * (x * (b + d) + z * (f + i) - 2 * y * (a + j) + w * (c - h)),
      2 * (x * (c + h) + y * (f + i) - 2 * z * (a + e) + w * (d - b)),
      2 * (x * (i - f) + y * (c - h) + z * (d - b)),
    ];
    return [...positionOf(g), ...throughNorm(v.slice(3), of)];
  },
};

const SIX_D = {
  dim: 9,
  toPose(v) {
    const a = normalized(v.slice(3, 6)), b = normalized(v.slice(6, 9)), c = cross(a, b);
    return poseOf([a[0], b[0], c[0], a[1], b[1], c[1], a[2], b[2], c[2]], v);
  },
  fromPose: (T) => [...positionOf(T), ...column(T, 0), ...column(T, 1)],
  normalize(v) {
    const a = normalized(v.slice(3, 6)), b = v.slice(6, 9), along = dot(a, b);
    return [...v.slice(0, 3), ...a, ...normalized(b.map((x, i) => x - along * a[i]))];
  },
  slope(v, g) {
    const a = normalized(v.slice(3, 6)), b = normalized(v.slice(6, 9)), third = column(g, 2);
    const ofA = column(g, 0).map((x, i) => x + cross(b, third)[i]);
    const ofB = column(g, 1).map((x, i) => x + cross(third, a)[i]);
    return [...positionOf(g), ...throughNorm(v.slice(3, 6), ofA), ...throughNorm(v.slice(6, 9), ofB)];
  },
};

const REPRESENTATIONS = { quat: QUAT, "6d": SIX_D };

/** Rotation by a rotation vector. */
function turnBy(w) {
  const angle = Math.hypot(...w);
  if (angle < 1e-12) return [1, 0, 0, 0, 1, 0, 0, 0, 1];
  const s = Math.sin(angle / 2) / angle;
  return ofQuaternion([w[0] * s, w[1] * s, w[2] * s, Math.cos(angle / 2)]);
}

/** Rotation vector of a rotation of less than half a turn. */
function turnOf(R) {
  let [x, y, z, w] = toQuaternion(R);
  if (w < 0) [x, y, z, w] = [-x, -y, -z, -w];
  const s = Math.hypot(x, y, z), angle = 2 * Math.atan2(s, w), scale = s < 1e-12 ? 2 : angle / s;
  return [x * scale, y * scale, z * scale];
}

/** Angle between the rotations of two poses, radians. */
function angleBetween(T, U) {
  const trace = dot(rotationOf(T), rotationOf(U));
  return Math.acos(Math.min(1, Math.max(-1, (trace - 1) / 2)));
}

// The six coordinates of a pose relative to a centre, as dgrasp/report/explorer/pose_slice.py has them: displacement
// along the world's axes (metres), rotation vector about those of the TCP (radians).
const AXES = ["x", "y", "z", "about x", "about y", "about z"];
const HALF_WIDTHS = [0.12, 0.12, 0.06, Math.PI / 3, Math.PI / 3, Math.PI / 3];

function poseAt(centre, c) {
  const p = positionOf(centre).map((x, i) => x + c[i]);
  return poseOf(times(rotationOf(centre), turnBy(c.slice(3))), p);
}

function coordinatesOf(centre, T) {
  const R = rotationOf(centre), p = positionOf(centre);
  const transposed = [R[0], R[3], R[6], R[1], R[4], R[7], R[2], R[5], R[8]];
  return [...positionOf(T).map((x, i) => x - p[i]), ...turnOf(times(transposed, rotationOf(T)))];
}

/** Slope per metre and per radian about the TCP's own axes, at the pose itself, from the gradient in its numbers. */
function slopeAtPose(T, g) {
  const x = [0, 1, 2].map((k) => column(T, k)), gx = [0, 1, 2].map((k) => column(g, k));
  // R exp([w]): the column k moves by R (w cross e_k)
  return [
    ...positionOf(g),
    dot(x[2], gx[1]) - dot(x[1], gx[2]),
    dot(x[0], gx[2]) - dot(x[2], gx[0]),
    dot(x[1], gx[0]) - dot(x[0], gx[1]),
  ];
}

/** Slope in the six coordinates `c` round a centre from the gradient in the numbers of the pose there. */
function slopeInCoordinates(T, c, g) {
  const at = slopeAtPose(T, g), w = c.slice(3), angle = Math.hypot(...w);
  const first = angle < 1e-6 ? 0.5 : (1 - Math.cos(angle)) / angle ** 2;
  const second = angle < 1e-4 ? 1 / 6 : (angle - Math.sin(angle)) / angle ** 3;
  // exp(w + d) = exp(w) exp(J d) with J = 1 - first [w] + second [w]^2; here J^T
  const turn = at.slice(3), once = cross(w, turn), twice = cross(w, once);
  return [...at.slice(0, 3), ...turn.map((x, i) => x + first * once[i] + second * twice[i])];
}

/** Random numbers in [0, 1) that a seed repeats (mulberry32). */
function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** A number from the normal distribution (Box and Muller). */
const normalFrom = (random) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** n poses: positions uniform between the corners, rotations uniform on SO(3). */
function uniformPoses(n, [low, high], random) {
  return Array.from({ length: n }, () => {
    const p = low.map((a, i) => a + random() * (high[i] - a));
    return poseOf(ofQuaternion(normalized(Array.from({ length: 4 }, () => normalFrom(random)))), p);
  });
}

// --- draw.js
// What several views draw with: colours, cameras, the gripper.


// Dark is high, as in the figures: ten steps of matplotlib's "YlGnBu", which keep their order without colour.
const MAP = [
  [255, 255, 217], [239, 249, 189], [213, 238, 179], [169, 221, 183], [115, 201, 189],
  [69, 180, 194], [40, 151, 191], [35, 116, 178], [36, 77, 160], [8, 29, 88],
];

/** Colour (three bytes) of a share in [0, 1]. */
function colourOf(share) {
  const x = Math.min(1, Math.max(0, share)) * (MAP.length - 1), i = Math.min(MAP.length - 2, Math.floor(x));
  return MAP[i].map((a, k) => Math.round(a + (x - i) * (MAP[i + 1][k] - a)));
}

const css = (rgb, alpha = 1) => `rgba(${rgb.join(",")},${alpha})`;

// The open gripper as lines in the TCP's frame, metres: z is the approach, x the closing direction. The TCP lies 15 mm
// behind the fingertips (dgrasp/cell/gripper.py); the opening is drawn as 100 mm, what the oracle grasps at most.
const TIP = 0.015, ROOT = -0.055, WRIST = -0.1, HALF = 0.05;
const GRIPPER = [
  [[-HALF, 0, TIP], [-HALF, 0, ROOT], [HALF, 0, ROOT], [HALF, 0, TIP]],
  [[0, 0, ROOT], [0, 0, WRIST]],
];

/** The gripper's lines in the world. scale: of its size. */
const gripperAt = (T, scale = 1) => GRIPPER.map((line) => line.map((p) => placed(T, p.map((x) => scale * x))));

/** A pinhole camera: K (9 numbers) in pixels, T_world_cam (16 numbers). */
class Camera {
  constructor(K, T) {
    this.K = K;
    this.T = T;
  }

  /** Pixel and depth of a world point: [u, v, depth]. */
  project([x, y, z]) {
    const T = this.T, d = [x - T[3], y - T[7], z - T[11]];
    const [a, b, c] = [0, 1, 2].map((k) => T[k] * d[0] + T[4 + k] * d[1] + T[8 + k] * d[2]);
    const depth = Math.max(c, 1e-6);
    return [this.K[2] + (this.K[0] * a) / depth, this.K[5] + (this.K[4] * b) / depth, c];
  }

  /** Where the ray of a pixel meets a horizontal plane (metres), or null if it does not. */
  onPlane([u, v], z) {
    const T = this.T, local = [(u - this.K[2]) / this.K[0], (v - this.K[5]) / this.K[4], 1];
    const ray = [0, 4, 8].map((r) => T[r] * local[0] + T[r + 1] * local[1] + T[r + 2] * local[2]);
    const t = (z - T[11]) / ray[2];
    return t > 0 && Number.isFinite(t) ? [T[3] + t * ray[0], T[7] + t * ray[1], z] : null;
  }
}

/** Draw a line through points [x, y, ...] of the canvas, with a pale rim that keeps it visible on any ground. */
function stroke(context, points, colour, width, rim = 0) {
  context.beginPath();
  points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.lineJoin = context.lineCap = "round";
  if (rim) {
    context.strokeStyle = "rgba(255,255,255,0.85)";
    context.lineWidth = width + rim;
    context.stroke();
  }
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke();
}

/** An arrow from one point of the canvas to another. */
function arrow(context, from, to, colour, width, rim = 0, head = 4 + 2 * width) {
  const angle = Math.atan2(to[1] - from[1], to[0] - from[0]);
  const side = (turn) => [to[0] - head * Math.cos(angle + turn), to[1] - head * Math.sin(angle + turn)];
  stroke(context, [from, to], colour, width, rim);
  stroke(context, [side(0.45), to, side(-0.45)], colour, width, rim);
}

/** A dot with a pale rim. */
function dot2(context, [x, y], radius, colour) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.strokeStyle = "white";
  context.lineWidth = 1.5;
  context.fill();
  context.stroke();
}

/** Values on a grid (rows upwards) as a small canvas with a pixel for each, to be drawn larger: {canvas, range}. */
function shaded(values, grid) {
  const low = Math.min(...values), high = Math.max(...values), image = new ImageData(grid, grid);
  values.forEach((value, i) => {
    const row = grid - 1 - Math.floor(i / grid), rgb = colourOf((value - low) / (high - low || 1));
    image.data.set([...rgb, 255], 4 * (row * grid + (i % grid)));
  });
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = grid;
  canvas.getContext("2d").putImageData(image, 0, 0);
  return { canvas, range: [low, high] };
}

/** A canvas that is as sharp as the screen, with coordinates of `width` x `height`; returns its context, cleared. */
function prepared(canvas, width, height) {
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  if (canvas.width !== width * ratio || canvas.height !== height * ratio) {
    canvas.width = width * ratio;
    canvas.height = height * ratio;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** Where a pointer event lies in the coordinates of a canvas of `width` x `height`. */
function placeOn(canvas, event, width, height) {
  const r = canvas.getBoundingClientRect();
  return [((event.clientX - r.left) * width) / r.width, ((event.clientY - r.top) * height) / r.height];
}

/** Call `move(place, event)` while a pointer is down on the canvas, and `end()` when it is let go. */
function draggable(canvas, width, height, move, end = () => {}) {
  let down = false;
  canvas.addEventListener("pointerdown", (event) => {
    down = true;
    canvas.setPointerCapture(event.pointerId);
    move(placeOn(canvas, event, width, height), event, true);
  });
  canvas.addEventListener("pointermove", (event) => down && move(placeOn(canvas, event, width, height), event, false));
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, () => {
      if (down) end();
      down = false;
    });
  }
}

/** A colour of the page's style sheet. */
const styled = (element, name) => getComputedStyle(element).getPropertyValue(name).trim();

// --- controls.js
// Labelled controls, made of plain HTML: every one is reached by keyboard and read by a screen reader.

let made = 0;

/** An element: h("p", {class: "x", onclick}, ...children). */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** A label beside its control. */
function labelled(text, control) {
  control.id = `dgp-${++made}`;
  return h("div", { class: "dgp-control" }, h("label", { for: control.id }, text), control);
}

/** A list to choose from; options: [[value, text]]. Has `value`; `set(value)` does not call `changed`. */
function choice(text, options, value, changed) {
  const select = h("select", { onchange: () => changed(select.value) });
  const fill = (list) => select.replaceChildren(...list.map(([v, t]) => h("option", { value: v }, t)));
  fill(options);
  select.value = value;
  return {
    element: labelled(text, select),
    get value() { return select.value; },
    set: (v) => (select.value = v),
    fill: (list, v) => (fill(list), (select.value = v)),
  };
}

/** A slider with its number. show: value -> text. `moved(value, settled)`. */
function slider(text, { min, max, step, value, show = String, log = false }, moved) {
  const to = (x) => (log ? Math.log10(x) : x), from = (x) => (log ? 10 ** Number(x) : Number(x));
  const input = h("input", { type: "range", min: to(min), max: to(max), step: log ? 0.01 : step, value: to(value) });
  const output = h("output", {});
  const control = labelled(text, input);
  control.append(output);
  let exact = value; // a slider rounds what is set; what the visitor did not move stays as it was
  const say = () => {
    output.textContent = show(exact);
    input.setAttribute("aria-valuetext", output.textContent);
  };
  const act = (settled) => {
    exact = from(input.value);
    say();
    moved(exact, settled);
  };
  input.addEventListener("input", () => act(false));
  input.addEventListener("change", () => act(true));
  say();
  return {
    element: control,
    input,
    get value() { return exact; },
    /** Also widens the range, so that no value is moved to its end without a word. */
    set(x) {
      if (to(x) < Number(input.min)) input.min = to(x);
      if (to(x) > Number(input.max)) input.max = to(x);
      input.value = to(x);
      exact = x;
      say();
    },
  };
}

/** A box to tick. */
function tick(text, checked, changed) {
  const input = h("input", { type: "checkbox", checked, onchange: () => changed(input.checked) });
  return { element: h("label", { class: "dgp-tick" }, input, " ", text), get value() { return input.checked; } };
}

const button = (text, pressed) => h("button", { type: "button", onclick: pressed }, text);

/** Let controls below some elements be used, or not. */
function enable(elements, on) {
  for (const element of elements) for (const one of element.querySelectorAll("button, input, select")) one.disabled = !on;
}

/** A group of controls with a heading. */
const group = (title, ...children) => h("fieldset", {}, h("legend", {}, title), ...children);

// --- failures_table.js
// The attempts of the published tables, and those that a visitor's filters leave.


const FAILURES = "failures"; // in the place of an outcome: all but success
const ALL = "";

/** Attempts by number, as dgrasp/report/failures/page.py writes them. */
class Attempts {
  constructor({ facts, arrays }) {
    this.facts = facts;
    this.poses = arrays.poses?.data;
    this.filters = { task: ALL, seed: ALL, policy: ALL, object: ALL, outcome: FAILURES, pictures: ALL };
    const columns = Object.values(facts.columns ?? {}).map((column) => (column.codes ?? column).length);
    if (!this.poses || !columns.length || columns.some((length) => length !== facts.count)) {
      throw new FileProblem("the table of attempts is incomplete; build the page again");
    }
  }

  get numbers() {
    return Array.from({ length: this.facts.count }, (_, i) => i);
  }

  /** What the row of an attempt says. */
  value(name, i) {
    const column = this.facts.columns[name];
    return column.codes ? column.words[column.codes[i]] : column[i];
  }

  success(i) {
    return this.value("outcome", i) === "success";
  }

  /** Kinds of the objects that stood on the board. */
  kinds(i) {
    return this.facts.kinds[this.facts.columns.objects.codes[i]];
  }

  /** The chosen grasp, three rows of its matrix; null where none was found or no pictures were taken. */
  pose(i) {
    const at = this.value("picture", i);
    if (at < 0) return null;
    const T = this.poses.subarray(12 * at, 12 * at + 12);
    return T.every(Number.isFinite) ? T : null;
  }

  /** Name of the file with an attempt's pictures, or null. */
  sheet(i) {
    return this.value("picture", i) < 0 ? null : this.value("sheet", i);
  }

  /** Whether there are pictures, in a word. */
  pictures(i) {
    return this.sheet(i) ? "with pictures" : "without";
  }

  has(i, name, wanted) {
    if (wanted === ALL) return true;
    if (name === "pictures") return this.pictures(i) === wanted;
    if (name === "object") return this.kinds(i).includes(wanted);
    if (name === "outcome" && wanted === FAILURES) return !this.success(i);
    return String(this.value(name, i)) === wanted;
  }

  /** Numbers of the attempts that pass all filters, but for the one called `without`. */
  left(without = null) {
    const active = Object.entries(this.filters).filter(([name, wanted]) => name !== without && wanted !== ALL);
    return this.numbers.filter((i) => active.every(([name, wanted]) => this.has(i, name, wanted)));
  }

  /** What can be chosen in a filter, with how many attempts the other filters leave of each: [[value, text]]. */
  options(name) {
    const left = this.left(name), counts = new Map();
    const values = (i) => (name === "object" ? this.kinds(i) : [name === "pictures" ? this.pictures(i) : String(this.value(name, i))]);
    for (const i of this.numbers) for (const value of values(i)) counts.set(value, 0);
    for (const i of left) for (const value of values(i)) counts.set(value, counts.get(value) + 1);
    const named = [...counts].map(([value, count]) => [value, `${this.title(name, value)} (${count})`]);
    const failed = left.filter((i) => !this.success(i)).length;
    const failures = name === "outcome" ? [[FAILURES, `all failures (${failed})`]] : [];
    return [[ALL, `all (${left.length})`], ...failures, ...named];
  }

  title(name, value) {
    return this.facts.titles[name]?.[value] ?? value;
  }

  /** In words: "clutter, scene 4, attempt 2". */
  place(i) {
    const task = this.title("task", this.value("task", i)), scene = this.value("scene", i) + 1;
    if (this.value("presented", i)) return `${task}: ${this.value("presented", i)}, presentation ${scene}`;
    return `${task}, scene ${scene}, attempt ${this.value("attempt", i) + 1}`;
  }

  /** Attempts of other policies in the same state of the same scene: only the first attempts meet the same. */
  others(i) {
    if (this.value("attempt", i) !== 0) return [];
    const same = ["seed", "task", "presented", "scene", "attempt"];
    return this.numbers.filter((k) => k !== i && same.every((name) => this.value(name, k) === this.value(name, i)));
  }
}

// --- failures_pictures.js
// Pictures of an attempt: what the policy saw with the grasp that it chose, and the last moments of the trial's phases.


const WIDTH = 512; // of a canvas' coordinates: the gripper is drawn sharper than the picture
const KEPT = 8; // sheets in memory
const PHASES = {
  travel: "on the way", approach: "at the grasp, before closing", close: "closed", lift: "lifting",
  hold: "held up", home: "at home",
};

/** Sheets by name, as dgrasp/report/failures/sheets.py writes them: {attempts, picture}. */
class Sheets {
  constructor(load) {
    this.load = load;
    this.kept = new Map();
  }

  async get(name) {
    if (!this.kept.has(name)) this.kept.set(name, this.read(name));
    if (this.kept.size > KEPT) this.kept.delete(this.kept.keys().next().value);
    try {
      return await this.kept.get(name);
    } catch (error) {
      this.kept.delete(name); // it may arrive another time
      throw error;
    }
  }

  async read(name) {
    const { facts, arrays } = readFile(await inflate(await this.load("sheet", name)), "sheet");
    if (!arrays.sheet) return { attempts: facts.attempts, picture: null };
    try {
      return { attempts: facts.attempts, picture: await createImageBitmap(new Blob([arrays.sheet.data], { type: "image/webp" })) };
    } catch (error) {
      throw new FileProblem(`the pictures of ${name} cannot be drawn by this browser, or are damaged`);
    }
  }
}

/** A part of a sheet on a canvas of its own; draw: more, with a context in coordinates of WIDTH. */
function tile(picture, [x, y, width, height], label, draw = () => {}) {
  const canvas = h("canvas", { role: "img", "aria-label": label, style: `aspect-ratio: ${width} / ${height}` });
  const context = prepared(canvas, WIDTH, Math.round((WIDTH * height) / width));
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, x, y, width, height, 0, 0, WIDTH, (WIDTH * height) / width);
  draw(context);
  return canvas;
}

const figure = (canvas, text) => h("figure", {}, canvas, h("figcaption", {}, text));

/** Figures of what the policy saw. camera: {K, Ts} in the pictures' pixels; T: three rows of the grasp, or null. */
function viewsOf({ picture }, { views }, camera, T, colour) {
  return views.map((place, k) => {
    const zoom = WIDTH / place[2], where = T ? "the chosen grasp drawn in it" : "no grasp was chosen";
    const eye = new Camera(camera.K, camera.Ts[k]);
    const draw = (context) => {
      for (const line of T ? gripperAt(T) : []) {
        stroke(context, line.map((p) => eye.project(p).slice(0, 2).map((x) => zoom * x)), colour, 4, 3);
      }
    };
    const text = `Camera ${k + 1}, ${where}`;
    return figure(tile(picture, place, text, draw), text);
  });
}

/** Figures of the trial. */
function framesOf({ picture }, { frames }, outcome) {
  return frames.map(([phase, place], k) => {
    const last = k === frames.length - 1 ? `: ${outcome}` : "";
    const text = `Trial, ${PHASES[phase] ?? phase}${last}`;
    return figure(tile(picture, place, text), text);
  });
}

// --- failures.js
// Entry of the failure browser: filters, the list of attempts they leave, and one attempt in full.
//
// A supply loads files and says where the explorer's page is:
//   load   (kind, id) -> bytes: ("attempts", "all") or ("sheet", name)
//   play   address of the page with the explorer, or null


const NAMES = { task: "Task", seed: "Seed", policy: "Policy", object: "Object", outcome: "Outcome", pictures: "Pictures" };
const WHERE_DIFFERENT = ["seed", "pictures"]; // filters that are shown where there is something to choose
const WANTED = { DecompressionStream: "DecompressionStream (browsers of 2023 and later)", createImageBitmap: "createImageBitmap" };

/** The browser in `element`; what stands there stays below a message where something is missing. */
async function browse(element, supply) {
  element.classList.add("dgp");
  const said = h("p", { class: "dgp-status", role: "status", "aria-live": "polite" }, "Loading the attempts …");
  element.prepend(said);
  try {
    const lacks = lacking(WANTED);
    if (lacks.length) throw new FileProblem(`this browser has no ${lacks.join(", no ")}`);
    const attempts = new Attempts(readFile(await inflate(await supply.load("attempts", "all")), "attempts"));
    const app = new Browser(attempts, supply);
    element.replaceChildren(app.element);
    app.filtered();
    await app.busy;
    return app;
  } catch (error) {
    said.textContent = problem(error);
    said.classList.add("dgp-wrong");
    said.setAttribute("role", "alert");
    return null;
  }
}

const problem = (error) =>
  error instanceof FileProblem ? `This cannot be shown: ${error.message}.` : `Something unexpected: ${error.message}`;

class Browser {
  constructor(attempts, supply) {
    Object.assign(this, { attempts, supply, sheets: new Sheets(supply.load), busy: Promise.resolve() });
    this.asked();
    this.status = h("p", { class: "dgp-status", role: "status", "aria-live": "polite" });
    this.filters = Object.keys(NAMES).map((name) => this.filter(name));
    this.list = h("select", { size: 14, class: "dgp-list", "aria-label": "Attempts", onchange: () => this.show(Number(this.list.value)) });
    this.detail = h("div", { class: "dgp-attempt", tabindex: 0, role: "group", "aria-label": "The attempt" });
    this.detail.addEventListener("keydown", (event) => this.key(event));
    const acts = h("div", { class: "dgp-bar" },
      ...this.filters.filter(({ name }) => !WHERE_DIFFERENT.includes(name) || attempts.options(name).length > 2).map(({ control }) => control.element),
      button("Show all failures", () => this.clear()));
    const steps = h("div", { class: "dgp-buttons" }, button("Previous", () => this.step(-1)), button("Next", () => this.step(1)));
    const note = h("p", { class: "dgp-note" }, attempts.facts.rule);
    this.element = h("div", {}, acts, this.status,
      h("div", { class: "dgp-browser" }, h("div", {}, steps, this.list), this.detail), note);
  }

  /** Filters of the address: failures.html#task=novel&outcome=missed. */
  asked() {
    for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
      if (name in NAMES && [...this.attempts.options(name)].some(([known]) => known === value)) this.attempts.filters[name] = value;
    }
  }

  filter(name) {
    const { attempts } = this;
    const control = choice(NAMES[name], attempts.options(name), attempts.filters[name], (value) => {
      attempts.filters[name] = value;
      this.filtered();
    });
    return { name, control };
  }

  clear() {
    for (const name of Object.keys(NAMES)) this.attempts.filters[name] = name === "outcome" ? FAILURES : "";
    this.filtered();
  }

  /** Lists and counts follow the filters; the first attempt with pictures is shown. */
  filtered() {
    const { attempts } = this, left = attempts.left();
    for (const { name, control } of this.filters) control.fill(attempts.options(name), attempts.filters[name]);
    this.list.replaceChildren(...left.map((i) => h("option", { value: i }, this.line(i))));
    const failed = left.filter((i) => !attempts.success(i)).length, seen = left.filter((i) => attempts.sheet(i));
    this.status.textContent =
      `${left.length} of ${attempts.facts.count} attempts: ${failed} failed, ${left.length - failed} succeeded; ${seen.length} with pictures.`;
    if (left.length) this.show(seen[0] ?? left[0]);
    else this.detail.replaceChildren(h("p", {}, this.nothing()));
  }

  nothing() {
    const { attempts } = this, failures = attempts.numbers.some((i) => !attempts.success(i));
    return failures ? "No attempt passes these filters." : "No attempt failed. Choose another outcome to see successes.";
  }

  line(i) {
    const { attempts } = this, mark = attempts.sheet(i) ? " [pictures]" : "";
    return `${attempts.success(i) ? "✓" : "✗"} ${attempts.value("outcome", i)}${mark} · ${attempts.place(i)} · ${this.policy(i)}`;
  }

  policy(i) {
    return this.attempts.title("policy", this.attempts.value("policy", i));
  }

  step(by) {
    const to = this.list.selectedIndex + by;
    if (to < 0 || to >= this.list.length) return;
    this.list.selectedIndex = to;
    this.show(Number(this.list.value));
  }

  key(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || event.target !== this.detail) return;
    event.preventDefault();
    this.step(by);
  }

  show(i) {
    this.shown = i;
    this.list.value = String(i);
    this.pictures = h("div", { class: "dgp-pictures" });
    this.detail.replaceChildren(h("h2", {}, `${this.policy(i)}: ${this.attempts.value("outcome", i)}`), this.facts(i), this.pictures, ...this.more(i));
    this.busy = this.drawn(i, this.pictures);
  }

  facts(i) {
    const { attempts } = this, value = attempts.value("value", i);
    const rows = {
      Where: attempts.place(i) + (attempts.facts.seeds > 1 ? `, seed ${attempts.value("seed", i)}` : ""),
      "On the board": attempts.value("objects", i),
      "What happened": attempts.value("reason", i) || "–",
      "Value of the grasp": value == null ? "no grasp was chosen" : value.toFixed(2),
    };
    return h("dl", {}, ...Object.entries(rows).flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]));
  }

  /** Pictures arrive later; those of an attempt that is no longer shown are dropped. */
  async drawn(i, place) {
    const { attempts } = this, name = attempts.sheet(i);
    if (!name) return place.replaceChildren(h("p", { class: "dgp-note" }, "There are no pictures of this attempt. The filter “Pictures” shows which have some."));
    place.replaceChildren(h("p", { class: "dgp-note" }, "Loading the pictures …"));
    try {
      const sheet = await this.sheets.get(name);
      const entry = sheet.attempts[i];
      if (!entry) throw new FileProblem(`the pictures of ${name} are of another table; build the page again`);
      const camera = attempts.facts.cameras[attempts.value("seed", i)], colour = styled(this.detail, "--dgp-first");
      const views = viewsOf(sheet, entry, camera, attempts.pose(i), colour);
      place.replaceChildren(...views, ...framesOf(sheet, entry, attempts.value("outcome", i)), ...remarks(entry));
    } catch (error) {
      place.replaceChildren(h("p", { class: "dgp-wrong", role: "alert" }, problem(error)));
    }
  }

  more(i) {
    const { attempts } = this, others = attempts.others(i), scene = attempts.facts.played[`${attempts.value("seed", i)}/${attempts.value("task", i)}/${attempts.value("scene", i)}`];
    const made = [];
    if (others.length) {
      const entries = others.map((k) => h("li", {}, button(`${attempts.success(k) ? "✓" : "✗"} ${this.policy(k)}: ${attempts.value("outcome", k)}`, () => this.jump(k))));
      made.push(h("h2", {}, "Other policies in the same scene"), h("ul", { class: "dgp-buttons" }, ...entries));
    }
    if (scene && this.supply.play) {
      const text = attempts.value("attempt", i) ? "Play in this scene as it was at first" : "Play in this scene";
      made.push(h("p", {}, h("a", { href: `${this.supply.play}#scene=${scene}` }, text)));
    }
    return made;
  }

  /** Another attempt, even if the filters do not leave it. */
  jump(i) {
    if (!this.attempts.left().includes(i)) {
      for (const name of Object.keys(NAMES)) this.attempts.filters[name] = "";
      this.filtered();
    }
    this.show(i);
    this.detail.focus();
  }
}

function remarks({ same, seen, exact, frames }) {
  const texts = [];
  if (!seen) texts.push("The policy saw these objects in other colours: their textures were not at hand when the pictures were made.");
  if (!same) texts.push("Made once more, this attempt ended another way than the table says: so there are no pictures of the trial.");
  else if (!frames.length) texts.push("The arm did not move, so there are no pictures of a trial.");
  else if (!exact) texts.push("Made once more, it took a little longer or shorter: pictures may differ from what happened then by millimetres.");
  return texts.map((text) => h("p", { class: "dgp-note" }, text));
}
