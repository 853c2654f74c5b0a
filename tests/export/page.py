"""The exported page in a browser, and what a person does on it."""

import base64
import json
import zipfile

import numpy as np
from playwright.sync_api import expect

from nnmnist.images.prepare import NoInk

DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {
    "viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True,
    "has_touch": True,
}  # fmt: skip

# Strokes (x, y) from 0 to 1.
SEVEN = [[(0.25, 0.2), (0.75, 0.2), (0.45, 0.85)]]
ONE = [[(0.5, 0.15), (0.5, 0.85)]]
THREE = [
    [(0.3, 0.2), (0.62, 0.18), (0.65, 0.4), (0.46, 0.49), (0.68, 0.62), (0.62, 0.82), (0.3, 0.8)]
]
FOUR = [[(0.35, 0.15), (0.28, 0.5), (0.7, 0.5)], [(0.62, 0.15), (0.58, 0.88)]]

# Picture files in base64 -> what the page makes of each: [pixels (784), probabilities], or its
# complaint. As text: Playwright takes 10 ms for 784 numbers.
READ = """async (files) => {
  const answers = [];
  for (const file of files) {
    const bytes = Uint8Array.from(atob(file), (character) => character.charCodeAt(0));
    try {
      const pixels = inputOf(greyOf(await decode(new Blob([bytes]))), model.prepare);
      answers.push([Array.from(pixels), predict(network, pixels)]);
    } catch (error) {
      if (!(error instanceof NoInk)) throw error;
      answers.push(error.message);
    }
  }
  return JSON.stringify(answers);
}"""

# A file as it arrives by an event of pasting or dropping.
ARRIVE = """([file, name, event]) => {
  const bytes = Uint8Array.from(atob(file), (character) => character.charCodeAt(0));
  const data = new DataTransfer();
  if (bytes.length) data.items.add(new File([bytes], name));
  else data.setData("text/plain", "no picture");
  const made = event === "paste"
    ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true })
    : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
  document.getElementById("paper").dispatchEvent(made);
}"""


def resized(strokes, size):
    """Strokes in the middle of the paper; the longer side is that share of the paper's."""
    points = np.concatenate(strokes)
    middle, side = (points.min(0) + points.max(0)) / 2, np.ptp(points, axis=0).max()
    return [(0.5 + size * (np.array(stroke) - middle) / side).tolist() for stroke in strokes]


# Waits for the frame in which all that happened is shown.
SHOWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


class Page:
    """The page of a file, with all that it logs, breaks and asks for written down."""

    def __init__(self, browser, path, **device):
        self.page = browser.new_page(**device)
        self.page.on("console", lambda message: self.logged.append(message.text))
        self.page.on("pageerror", lambda error: self.logged.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.open(path)

    def open(self, path):
        self.logged, self.requests = [], []
        self.address = path.as_uri()
        self.page.bring_to_front()
        self.page.goto(self.address)

    def forget(self):
        """Remove what was done here, for the next page in this tab."""
        self.page.mouse.up()
        self.page.mouse.move(0, 0)
        self.run("() => localStorage.clear()")

    def run(self, script, argument=None):
        return self.page.evaluate(script, argument)

    def shown(self):
        self.run(SHOWN)

    def draw(self, strokes):
        """By mouse, with one move for each line: each move is shown in a frame of its own."""
        self.page.locator("#paper").scroll_into_view_if_needed()
        box = self.page.locator("#paper").bounding_box()
        mouse = self.page.mouse
        for stroke in strokes:
            for n, (x, y) in enumerate(stroke):
                mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
                if n == 0:
                    mouse.down()
            mouse.up()
        self.shown()

    def put(self, data, event, name="picture.png"):
        """Paste or drop the bytes of a file; none at all is some text."""
        self.run(ARRIVE, [base64.b64encode(data).decode(), name, event])

    def labels(self):
        """The classes of the collected drawings, from the first to the last."""
        return self.page.locator("#drawings .name").all_text_contents()[::-1]

    def download(self):
        """The files of the zip file that the page saves: path -> bytes; and its name."""
        with self.page.expect_download() as download:
            self.page.get_by_role("button", name="Download").click()
        with zipfile.ZipFile(download.value.path()) as file:
            assert file.testzip() is None
            files = {name: file.read(name) for name in file.namelist()}
        return files, download.value.suggested_filename

    def says(self, element, text):
        """Wait until that is its text, or what it matches."""
        expect(self.page.locator(f"#{element}")).to_have_text(text)

    def shares(self):
        """What each class is given, as it is shown."""
        texts = self.page.locator("#classes .share").all_inner_texts()
        return [text.replace("\u00a0", " ") for text in texts]

    def seen(self):
        """The pixels (784) of the picture of what the network sees."""
        canvas = "document.getElementById('seen').getContext('2d')"
        pixels = f"[...{canvas}.getImageData(0, 0, 28, 28).data]"
        return json.loads(self.run(f"() => JSON.stringify({pixels})"))[::4]

    def read(self, files):
        """What the page makes of picture files, each pixels (784) and probabilities (M,), or a
        NoInk.
        """
        answers = json.loads(self.run(READ, [base64.b64encode(file).decode() for file in files]))
        return [NoInk(answer) if isinstance(answer, str) else answer for answer in answers]
