// "Was it right?": the buttons and keys that say the right class, and the strip of the drawings below.

const choices = model.classes.map((name, k) => {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = name;
  button.addEventListener("click", () => label(k));
  return button;
});
$("choices").append(...choices);
const short = model.classes.every((name) => name.length <= 2);
for (const id of ["choices", "drawings"]) $(id).classList.toggle("short", short);
$("classes").classList.toggle("many", short && model.classes.length > 20);

// Shows for which predictions there is something to label, and which class the network says.
function showChoices(p) {
  const best = p ? bestOf(p) : -1;
  choices.forEach((button, k) => {
    button.disabled = !p;
    button.classList.toggle("best-one", k === best);
  });
}

// Keeps what is on the paper as a drawing of class k, and clears the paper for the next one.
function label(k) {
  endStroke();
  const { pixels } = read();
  if (!pixels) return;
  const name = model.classes[k];
  keep(name, pixels, marks());
  change({ ...BLANK, kept: drawings.at(-1).number });
  aloud = false; // the outcome is spoken instead
  showDrawings(`Saved as ${name} (${counted(drawings.length)})`);
  $("paper").focus();
}

const counted = (n) => `${n} ${n === 1 ? "drawing" : "drawings"}`;

// Undo of a label: the drawing is on the paper again.
function takeBack(number) {
  take(drawings.filter((drawing) => drawing.number === number));
  showDrawings(`Taken back (${counted(drawings.length)})`);
}

// Keys, wherever the focus is: Enter says that the network is right, a character says the class that begins with it.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
  if (event.key === "Enter") {
    const { p } = event.target.closest("button") ? {} : read(); // on a button, Enter presses it
    if (!p) return;
    event.preventDefault();
    return label(bestOf(p));
  }
  const classes = event.key === " " ? [] : beginningWith(event.key);
  if (classes.length === 1) return label(classes[0]);
  // Of several classes the key chooses the next one, and Enter takes it.
  const focused = classes.indexOf(choices.indexOf(event.target));
  choices[classes[(focused + 1) % classes.length]]?.focus();
});

// The classes whose first character is `key`; if there are none, in upper or lower case.
function beginningWith(key) {
  const first = model.classes.map((name) => [...name][0] ?? "");
  const matches = (fold) => [...first.keys()].filter((k) => fold(first[k]) === fold(key));
  const exact = matches((text) => text);
  return exact.length ? exact : matches((text) => text.toLowerCase());
}

// The strip.

function showDrawings(outcome = "") {
  $("outcome").textContent = outcome;
  $("collection").hidden = !drawings.length && !removed.length;
  $("count").textContent = counted(drawings.length);
  const items = drawings.map((drawing) => (drawing.item ??= itemOf(drawing)));
  $("drawings").replaceChildren(...items.reverse()); // the newest first
  $("put-back").hidden = !removed.length;
  $("put-back").textContent = `Put back ${counted(removed.length)}`;
  $("download").disabled = $("remove-all").disabled = !drawings.length;
  $("lasting").textContent = drawings.every((drawing) => drawing.stored)
    ? "This browser keeps them until you remove them."
    : "This browser cannot keep all of them: what you have not downloaded is lost when you close this page.";
}

function itemOf(drawing) {
  const [item, canvas, name, button] = ["li", "canvas", "span", "button"].map((tag) => document.createElement(tag));
  canvas.width = canvas.height = SIDE;
  canvas.setAttribute("aria-hidden", "true");
  showPixels(canvas, drawing.seen);
  name.className = "name";
  name.textContent = drawing.name;
  button.type = "button";
  button.textContent = "×";
  button.setAttribute("aria-label", `Remove drawing ${drawing.number}, saved as ${drawing.name}`);
  button.addEventListener("click", () => removeAndShow([drawing]));
  item.append(canvas, name, button);
  return item;
}

function removeAndShow(some) {
  remove(some);
  showDrawings(`Removed ${counted(some.length)}`);
  $("put-back").focus();
}

$("remove-all").addEventListener("click", () => removeAndShow(drawings));

$("put-back").addEventListener("click", () => {
  putBack();
  showDrawings(`Put back (${counted(drawings.length)})`);
  $("paper").focus();
});

$("download").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([zipped()], { type: "application/zip" }));
  link.download = $("download").value;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  for (const drawing of drawings) drawing.downloaded = true;
  showDrawings(`${link.download} has ${counted(drawings.length)}`);
});

addEventListener("beforeunload", (event) => {
  if (!drawings.some((drawing) => !drawing.stored && !drawing.downloaded)) return;
  event.preventDefault();
  event.returnValue = true; // for browsers before 2024
});

addEventListener("storage", (event) => {
  if (!event.key?.startsWith(PREFIX)) return; // null if all was deleted: what is shown here can still be downloaded
  load();
  showDrawings($("outcome").textContent);
});

load();
showDrawings();
