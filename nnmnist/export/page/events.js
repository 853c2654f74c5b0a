// Mouse, pen, finger, keys, pasting and dropping.

const paper = $("paper");
let pointer = null; // the one that draws; other fingers are left alone

paper.addEventListener("pointerdown", (event) => {
  if (pointer !== null || event.button !== 0) return;
  endStroke();
  pointer = event.pointerId;
  pointed = true;
  paper.setPointerCapture(pointer);
  stroke = [pointOf(event)];
  refresh();
});

paper.addEventListener("pointermove", (event) => {
  if (event.pointerId !== pointer || !stroke) return;
  const moments = event.getCoalescedEvents?.() ?? [];
  stroke.push(...(moments.length ? moments : [event]).map(pointOf));
  refresh();
});

for (const end of ["pointerup", "pointercancel"]) {
  paper.addEventListener(end, (event) => {
    if (event.pointerId !== pointer) return;
    pointer = null;
    endStroke();
  });
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const held = new Set(); // two arrows at once go slanting

paper.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  pointed &&= !(event.key in ARROWS || event.key === " ");
  if (event.key in ARROWS) {
    held.add(event.key);
    for (const key of held) pen = pen.map((x, axis) => clip(x + STEP * ARROWS[key][axis], 0, 1));
    stroke?.push(pen);
    refresh();
  } else if (event.key === " ") {
    if (!event.repeat) {
      if (stroke) endStroke();
      else stroke = [pen];
      refresh();
    }
  } else if (event.key === "Delete" || event.key === "Backspace") clear();
  else return;
  event.preventDefault();
});
paper.addEventListener("keyup", (event) => held.delete(event.key));
paper.addEventListener("focus", refresh);
paper.addEventListener("blur", () => {
  held.clear();
  endStroke();
  refresh();
});

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z") {
    event.preventDefault();
    undo();
  }
});

async function put(file) {
  if (!file) return settle("there is no picture in it; give a PNG, JPEG, GIF, BMP or WebP");
  try {
    const bitmap = await decode(file);
    stroke = null;
    change({ strokes: [], bitmap });
  } catch {
    settle(`${file.name || "that"}: cannot be read as an image; give a PNG, JPEG, GIF, BMP or WebP`);
  }
}

document.addEventListener("paste", (event) => put(event.clipboardData.files[0]));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  paper.classList.add("over");
});
document.addEventListener("dragleave", () => paper.classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  paper.classList.remove("over");
  put(event.dataTransfer.files[0]);
});
$("open").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", ({ target }) => {
  if (target.files.length) put(target.files[0]);
  target.value = ""; // the same file may be chosen again
});

$("undo").addEventListener("click", undo);
$("clear").addEventListener("click", clear);
new ResizeObserver(refresh).observe(paper);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refresh);

if (model.prepare.mode !== "digit") paper.classList.add(BACKGROUND ? "light" : "dark");

for (const name of model.classes) {
  const row = document.createElement("li");
  row.append(...["name", "bar", "share"].map((part) => {
    const span = document.createElement("span");
    span.className = part;
    return span;
  }));
  row.children[0].textContent = name;
  row.children[1].append(document.createElement("span"));
  $("classes").append(row);
}
