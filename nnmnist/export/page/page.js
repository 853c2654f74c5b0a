// The page: marks on paper, what the network sees of them, and what it says.

const PEN = 0.075; // width of the pen, as a share of the paper's side
const STEP = 1 / 28; // how far an arrow key moves the pen
const RASTER = 140; // pixels of a side of the drawing that is prepared: five for one that the network sees
// The longer side of the strokes of a digit, as a share of the raster's, at which the pen's lines have MNIST's mean
// width: 2.4 of the box's 20 pixels, as `thickness` measures 3,000 training images enlarged five times.
const DIGIT_SIDE = 0.55;

const $ = (id) => document.getElementById(id);
const model = JSON.parse($("network").textContent);
const network = readNetwork(model);
const raster = sheet(RASTER, RASTER);
// Grey values of the drawing that is prepared. A digit may be dark on light; other pictures are as the network's are.
const [BACKGROUND, NOTHING_SEEN] = model.prepare.mode === "digit" ? [255, 0] : Array(2).fill(model.prepare.background);

// What is on the paper: strokes, each an array of points [x, y] in [0, 1], or an ImageBitmap. After a drawing was
// labelled, `kept` is its number, so that Undo can take it back. States are never changed.
const BLANK = { strokes: [], bitmap: null };
let now = BLANK;
const past = []; // what Undo goes back to
let stroke = null; // the points of the stroke that is being drawn
let pen = [0.5, 0.5]; // where the keys have moved the pen
let pointed = false; // whether the paper was last used by mouse, pen or finger, which need no such pen
let notice = ""; // what went wrong with a picture, until the paper changes

function change(state) {
  past.push(now);
  now = state;
  settle();
}

function undo() {
  if (stroke) stroke = null;
  else if (past.length) {
    if (now.kept) takeBack(now.kept);
    now = past.pop();
  }
  settle();
}

const isBlank = ({ strokes, bitmap }) => !strokes.length && !bitmap;

function clear() {
  stroke = null;
  if (isBlank(now)) settle();
  else change(BLANK);
}

// Shows what has become of the paper and, unlike the many moments of a stroke, says it to a screen reader.
function settle(problem = "") {
  notice = problem;
  aloud = true;
  refresh();
}

// Drawing. The first mark on a picture takes the picture away.

function strokes() {
  return stroke ? [...(now.bitmap ? [] : now.strokes), stroke] : now.strokes;
}

function endStroke() {
  if (!stroke) return;
  const drawn = strokes();
  stroke = null;
  change({ strokes: drawn, bitmap: null });
}

function trace(context, side, strokes) {
  context.lineWidth = PEN * side;
  context.lineCap = context.lineJoin = "round";
  for (const points of strokes) {
    const [[x, y], ...others] = points.map((point) => point.map((each) => each * side));
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x + 0.01, y); // a point alone is a dot
    let [lastX, lastY] = [x, y];
    for (const [x, y] of others) {
      context.quadraticCurveTo(lastX, lastY, (lastX + x) / 2, (lastY + y) / 2); // round the corners
      [lastX, lastY] = [x, y];
    }
    context.lineTo(lastX, lastY);
    context.stroke();
  }
}

// Strokes in the middle of the paper, scaled so that the pen's lines have MNIST's width, however small they were drawn.
// Specks do not count: one far from the digit would make it small.
function sized(strokes) {
  const sides = strokes.map((points) => sideOf(boxOf(points)));
  const least = MIN_PART * Math.max(...sides);
  const box = boxOf(strokes.filter((_, i) => sides[i] >= least).flat());
  const scale = DIGIT_SIDE / Math.max(sideOf(box), PEN);
  const place = (each, axis) => 0.5 + scale * (each - (box[axis] + box[axis + 2]) / 2);
  return strokes.map((points) => points.map((point) => point.map(place)));
}

// [left, top, right, bottom]
function boxOf(points) {
  return points.reduce(
    ([left, top, right, bottom], [x, y]) => [
      Math.min(left, x), Math.min(top, y), Math.max(right, x), Math.max(bottom, y),
    ],
    [Infinity, Infinity, -Infinity, -Infinity],
  );
}

function pointOf(event) {
  const { left, top, width, height } = $("paper").getBoundingClientRect();
  return [(event.clientX - left) / width, (event.clientY - top) / height];
}

const greyColour = (value) => `rgb(${value}, ${value}, ${value})`;

// What the network is given: the picture { rows, columns, pixels } that is on the paper.
function marks() {
  if (now.bitmap && !stroke) return greyOf(now.bitmap);
  raster.fillStyle = greyColour(BACKGROUND);
  raster.strokeStyle = greyColour(255 - BACKGROUND);
  raster.fillRect(0, 0, RASTER, RASTER);
  trace(raster, RASTER, model.prepare.mode === "digit" ? sized(strokes()) : strokes());
  return { rows: RASTER, columns: RASTER, pixels: grey(raster.getImageData(0, 0, RASTER, RASTER).data) };
}

// What is seen: { pixels, p }, or { message } where there is nothing to read.
function read() {
  if (!strokes().length && !now.bitmap) return { message: "" };
  try {
    const pixels = inputOf(marks(), model.prepare);
    return { pixels, p: predict(network, pixels), message: "" };
  } catch (error) {
    if (error instanceof NoInk) return { message: error.message };
    throw error;
  }
}

// Showing.

let due = false;
let aloud = false;
function refresh() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    show();
  });
}

function show() {
  const { pixels, p, message } = read();
  showPaper();
  showPixels($("seen"), pixels);
  showAnswer(p);
  $("message").textContent = notice || message;
  $("hint").hidden = Boolean(strokes().length || now.bitmap);
  $("undo").disabled = !past.length && !stroke;
  $("clear").disabled = isBlank(now) && !stroke;
  showChoices(p);
  if (aloud) $("spoken").textContent = notice || message || (p ? sentence(p) : "The paper is empty");
  aloud = false;
}

function showPaper() {
  const paper = $("paper");
  const side = Math.round(paper.clientWidth * devicePixelRatio);
  if (paper.width !== side) paper.width = paper.height = side;
  const context = paper.getContext("2d");
  context.clearRect(0, 0, side, side);
  if (now.bitmap && !stroke) {
    const { width, height } = now.bitmap;
    const scale = side / Math.max(width, height);
    context.imageSmoothingEnabled = scale < 4;
    context.drawImage(
      now.bitmap, (side - width * scale) / 2, (side - height * scale) / 2, width * scale, height * scale,
    );
  }
  context.strokeStyle = getComputedStyle(paper).color;
  trace(context, side, strokes());
  if (paper.matches(":focus-visible") && !pointed) showPen(context, side);
}

function showPen(context, side) {
  context.beginPath();
  context.arc(pen[0] * side, pen[1] * side, (PEN / 2) * side, 0, 2 * Math.PI);
  context.lineWidth = 2 * devicePixelRatio;
  context.strokeStyle = getComputedStyle($("undo")).outlineColor;
  context.stroke();
}

// Shows (784,) bytes, if there are any, on a canvas of 28x28.
function showPixels(canvas, pixels) {
  const context = canvas.getContext("2d", { willReadFrequently: true }); // its pixels are set by hand
  const image = context.createImageData(SIDE, SIDE);
  for (let i = 0; i < SIDE * SIDE; i++) image.data.set([...Array(3).fill(pixels?.[i] ?? NOTHING_SEEN), 255], 4 * i);
  context.putImageData(image, 0, 0);
}

const weight = (p) => (model.is_probability ? `${(100 * p).toFixed(1)}\u00a0%` : p.toFixed(2));
const bestOf = (p) => p.indexOf(Math.max(...p));

function showAnswer(p) {
  const best = p ? bestOf(p) : -1;
  const answer = p ? model.classes[best] : "";
  $("answer").textContent = answer;
  $("answer").classList.toggle("word", answer.length > 2);
  $("certainty").textContent = p ? weight(p[best]) : "";
  [...$("classes").children].forEach((row, k) => {
    row.className = k === best ? "best-one" : "";
    row.querySelector(".bar span").style.width = p ? `${clip(100 * p[k], 0, 100)}%` : "0";
    row.querySelector(".share").textContent = p ? weight(p[k]) : "";
  });
}

function sentence(p) {
  const [first, second] = [...p.keys()].sort((a, b) => p[b] - p[a]);
  return `Reads ${model.classes[first]}, ${weight(p[first])}; then ${model.classes[second]}, ${weight(p[second])}`;
}
