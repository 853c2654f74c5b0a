import numpy as np
import pytest

from nnmnist.data import synthetic
from nnmnist.images.prepare import NoInk, find, prepare
from nnmnist.images.segment import Digit, count, join_parts, segment, sort_by_line, without_text

from .photos import faint_on_dark_rules, page


def likeness(a, b):
    return np.corrcoef(a.reshape(-1).astype(float), b.reshape(-1).astype(float))[0, 1]


def digits(labels, seed=8):
    labels = np.asarray(labels, np.uint8)
    return synthetic.render(labels, np.random.default_rng(seed)).reshape(-1, 28, 28)


def sheet(*places, shape=(300, 700)):
    """Dark ink on white: digits (label, left, top), five times as large as MNIST's."""
    picture = np.full(shape, 255, np.uint8)
    for (_, left, top), digit in zip(places, digits([label for label, *_ in places]), strict=True):
        picture[top : top + 140, left : left + 140] -= np.kron(digit, np.ones((5, 5), np.uint8))
    return picture


def test_lines_are_read_from_the_top_and_digits_from_the_left():
    picture = sheet((3, 400, 10), (7, 20, 150), (0, 230, 20), (2, 50, 5), (4, 300, 155))
    found = segment(picture)
    assert [len(line) for line in found] == [3, 2]
    assert [line[0].box[1] < 150 for line in found] == [True, False]
    for line in found:
        lefts = [digit.box[0] for digit in line]
        assert lefts == sorted(lefts)


def test_each_digit_is_what_it_is_alone():
    places = [(2, 20, 20), (8, 200, 30), (5, 400, 25)]
    [line] = segment(sheet(*places))
    for digit, (_, left, _) in zip(line, places, strict=True):
        x, y, width, height = digit.box
        assert left <= x < x + width <= left + 140
        around = sheet(*places)[max(y - 20, 0) : y + height + 20, max(x - 20, 0) : x + width + 20]
        assert likeness(digit.image, prepare(around)) > 0.97


def test_boxes_are_in_pixels_of_a_large_picture():
    picture = np.full((2000, 4000), 255, np.uint8)
    picture[600:1400, 1000:1100] = picture[600:1400, 3000:3100] = 0
    [line] = segment(picture)
    assert (
        np.abs(
            np.array([digit.box for digit in line]) - [[1000, 600, 100, 800], [3000, 600, 100, 800]]
        ).max()
        <= 5
    )


def test_one_short_line_on_a_large_sheet():
    small = sheet((4, 0, 0), (2, 140, 0))[::4, ::4]
    picture = np.pad(small, ((400, 300), (200, 400)), constant_values=255)
    [line] = segment(picture)
    assert len(line) == 2


def test_faint_writing_on_darkly_ruled_paper():
    for digit in digits(range(10)):
        [[found]] = segment(faint_on_dark_rules(digit, 140))
        assert likeness(found.image, digit) > 0.3


def test_photo_like_pages():
    """Rows of 5 to 10 synthetic digits, tilted, on ruled paper or beside a table: nearly all rows
    are found whole.
    """
    rng = np.random.default_rng(3)
    whole = total = 0
    for seed in range(3):
        rows = [digits(rng.integers(0, 10, rng.integers(5, 11)), [seed, n]) for n in range(6)]
        picture, boxes = page(rows, rng)
        found = segment(picture)
        assert len(found) == 6
        for line, true in zip(found, boxes, strict=True):
            middles = [
                (x + width / 2, y + height / 2)
                for x, y, width, height in (digit.box for digit in line)
            ]
            total += 1
            whole += len(line) == len(true) and all(
                left < x < right and top < y < bottom
                for (x, y), (left, top, right, bottom) in zip(middles, true, strict=True)
            )
    assert whole >= 0.85 * total


def boxes_of(*boxes):
    boxes = np.array(boxes)
    pixels = [np.argwhere(np.ones((r - l, b - t))) + np.array((l, t)) for l, t, r, b in boxes]
    return boxes, pixels


@pytest.mark.parametrize(
    ("parts", "groups"),
    [
        ([(0, 0, 50, 100), (70, 0, 120, 100)], [[0], [1]]),
        ([(0, 30, 50, 100), (20, 0, 90, 20)], [[0, 1]]),  # a 5 and its bar
        # broken beside: too low for a digit of its own
        ([(0, 0, 50, 100), (58, 60, 90, 100)], [[0, 1]]),
        ([(0, 0, 50, 100), (80, 60, 110, 100)], [[0], [1]]),
        ([(0, 0, 50, 100), (0, 130, 50, 230)], [[0], [1]]),  # two lines
        ([(0, 0, 50, 100), (80, 45, 120, 55)], [[0]]),  # a dash
        ([(0, 0, 50, 100), (80, 92, 87, 100)], [[0]]),  # a dot
        ([(0, 50, 20, 100), (5, 0, 25, 45), (70, 0, 120, 100)], [[0, 1], [2]]),
    ],
)
def test_parts_that_make_a_digit(parts, groups):
    assert sorted(sorted(group) for group in join_parts(*boxes_of(*parts))) == groups


@pytest.mark.parametrize("tilt", [-0.1, 0, 0.1])
def test_tilted_lines_keep_their_order(tilt):
    """The second begins so far to the right that the tilt puts its beginning above or below the
    first's.
    """
    left = np.array([0, 60, 120, 180, 240, 800, 860, 920])
    line = np.array([1, 1, 1, 1, 1, 0, 0, 0])
    top = 60 * line + tilt * left
    boxes = np.stack([left, top, left + 30, top + 40], axis=1)
    assert sort_by_line(boxes) == [[5, 6, 7], [0, 1, 2, 3, 4]]


def test_a_blank_page_and_noise():
    with pytest.raises(NoInk):
        segment(np.full((400, 300), 240, np.uint8))
    noise = np.random.default_rng(0).normal(200, 5, (500, 500))
    with pytest.raises(NoInk):
        segment(noise.astype(np.uint8))


def test_a_page_full_of_specks_is_answered():
    rng = np.random.default_rng(0)
    picture = np.where(rng.random((100, 100)) < 0.05, 0, 255).astype(np.uint8)
    assert all(digit.image.shape == (28, 28) for line in segment(picture) for digit in line)
    picture = np.where(rng.random((900, 900)) < 0.05, 0, 255).astype(np.uint8)
    with pytest.raises(NoInk, match="no digits found among"):
        segment(picture)


PLACES = [(3, 100, 60), (7, 260, 70), (2, 420, 55), (8, 560, 80)]


def light_of(shape, kind):
    """The light (rows, columns) on a page: a round bright patch, or a shadow with a sharp edge."""
    y, x = np.indices(shape)
    if kind == "glare":
        return 110 + 145 * np.exp(-(((x - 500) / 250) ** 2) - ((y - 200) / 150) ** 2)
    return np.where(x + 0.3 * y < 250, 120, 250)


@pytest.mark.parametrize("kind", ["glare", "shadow"])
@pytest.mark.parametrize("light_ink", [False, True])
def test_glare_and_shadow(kind, light_ink):
    """They change no digit, and the ink may be dark or light."""
    plain = sheet(*PLACES)
    light = light_of(plain.shape, kind) / 255
    picture = ((255.0 - plain if light_ink else plain) * light).astype(np.uint8)
    [found], [expected] = segment(picture), segment(plain)
    assert len(found) == len(expected) == 4
    alike = [likeness(a.image, b.image) for a, b in zip(found, expected, strict=True)]
    assert min(alike) > 0.7


def test_digits_that_the_picture_cuts_off_are_kept():
    cut = sheet(*PLACES)[85:170, 120:680]
    [line] = segment(cut)
    assert len(line) == 4


def test_a_light_page_on_a_dark_table():
    picture = np.pad(sheet(*PLACES), ((150, 120), (200, 180)), constant_values=90)
    [line] = segment(picture)
    assert len(line) == 4


def test_digits_are_counted():
    assert count(sheet(*PLACES)) == 4
    assert count(np.full((100, 100), 255, np.uint8)) == 0


def test_what_stands_beside_one_digit_does_not_count():
    """A comma, and a neighbour that the picture cuts off."""
    picture = sheet((3, 100, 60), (7, 260, 70))[:, :330]
    assert count(picture) == 1
    picture = sheet((3, 100, 60))
    picture[190:215, 260:268] = 0
    assert count(picture) == 1


def test_a_crack_from_the_border_is_no_digit():
    """It is many times as large as the strokes on the page; a stroke on the border stays."""
    ink = np.zeros((300, 400))
    x = np.arange(380)
    for thick in range(4):
        ink[(150 + 40 * np.sin(x / 20)).astype(int) + thick, x] = 1
    crack = ink > 0
    ink[20:60, 100:106] = ink[250:290, 200:206] = ink[260:300, 300:306] = 1
    _, mask = find(ink, keep_border=True)
    assert not (mask & crack).any()
    assert (mask == ((ink > 0) & ~crack)).all()


def test_soft_stains_are_no_digits():
    picture = sheet(*PLACES).astype(float)
    y, x = np.indices(picture.shape)
    for left, top in (60, 240), (330, 250), (500, 230):
        picture -= 180 * np.exp(-(((x - left) / 18) ** 2) - ((y - top) / 18) ** 2)
    [line] = segment(np.clip(picture, 0, 255).astype(np.uint8))
    assert len(line) == 4


def test_a_comma_behind_a_digit_is_none():
    picture = sheet((7, 100, 60), (8, 300, 60))
    x, y = np.arange(14), 165 + 3 * np.arange(14)
    for wide in range(9):
        for high in range(4):
            picture[y + high, 232 - x + wide] = 0
    [line] = segment(picture)
    assert len(line) == 2


def test_a_noisy_table_around_a_page_is_no_digit():
    """Its outline is many times as long as that of its box."""
    rng = np.random.default_rng(0)
    picture = np.full((600, 1000), 110.0)
    y, x = np.indices(picture.shape)
    is_page = (x < 760 - 0.1 * y) & (y < 460)
    noise = rng.normal(0, 30, (150, 250)).repeat(4, axis=0).repeat(4, axis=1)
    picture = np.where(is_page, 235, picture + noise)
    picture[60:360, :700] -= 255.0 - sheet(*PLACES)
    [line] = segment(np.clip(picture, 0, 255).astype(np.uint8))
    assert len(line) == 4


def test_digits_on_the_lines_of_a_bent_table_are_found():
    """Two of the digits touch a line; without the lines they are as they were."""
    digits_alone = [(3, 30, 60), (7, 230, 40), (2, 430, 60), (8, 630, 40), (5, 830, 40)]
    picture = sheet(*digits_alone, shape=(330, 1040))
    expected = [digit.image for [*line] in segment(picture) for digit in line]
    x = np.arange(picture.shape[1])
    for middle in (14, 172, 312):
        for thick in range(4):
            bend = 10 * np.sin(np.pi * x / len(x)) - 5
            picture[np.clip(middle + thick + bend, 0, 329).astype(int), x] = 40
    for column in (14, 214, 414, 614, 814, 1020):
        picture[10:320, column : column + 4] = 40
    [line] = segment(picture)
    assert len(line) == 5
    for digit, image in zip(line, expected, strict=True):
        assert likeness(digit.image, image) > 0.6


def test_a_digit_that_touches_the_frame_around_a_row_is_found():
    """The row is not much higher than its digits: a stroke is no line across it."""
    lefts = list(range(30, 630, 100))
    picture = np.full((104, 640), 230, np.uint8)
    for left, image in zip(lefts[1:], digits([2, 3, 4, 5, 6]), strict=True):
        place = picture[18:74, left : left + 56]
        place -= np.kron(image, np.ones((2, 2), np.uint8)) // 2
    picture[8:66, 56:62] = 100  # a 1 from the frame down
    for k in range(24):
        picture[20 + k : 26 + k, 58 - k : 60 - k] = 100
    x = np.arange(8, 620)
    for thick in range(4):
        for row in (8, 86):
            picture[row + thick + x // 100, x] = 100
        for column in range(8, 620, 100):
            y = np.arange(8 + column // 100, 90 + column // 100)
            picture[y, column + thick + (y - 8) // 20] = 100
    found = [digit.box for line in segment(picture) for digit in line]
    assert len(found) == 6
    assert all(abs(box[0] - left) < 40 for box, left in zip(sorted(found), lefts, strict=True))


def test_digits_on_the_lines_of_a_finely_divided_table_are_found():
    """Its lines bend; they go in pieces of some digit heights."""
    rng = np.random.default_rng(0)
    rows, columns, cell = 7, 9, 100
    picture = np.full((rows * cell + 60, columns * cell + 60), 235, np.uint8)
    y, x = np.indices(picture.shape)
    inside = (y >= 18) & (y < rows * cell + 45) & (x >= 18) & (x < columns * cell + 45)
    bend = 12 * np.sin(x / 130), 12 * np.sin(y / 110)
    for k in range(columns + 1):
        picture[(abs(x - 31 - k * cell - bend[1]) <= 1.5) & inside] = 60
        if k <= rows:
            picture[(abs(y - 31 - k * cell - bend[0]) <= 1.5) & inside] = 60
    for number, image in enumerate(digits(rng.integers(0, 10, rows * columns))):
        top, left = (38 + cell * k + int(rng.integers(-14, 15)) for k in divmod(number, columns))
        top, left = top + int(bend[0][0, left + 42]), left + int(bend[1][top + 42, 0])
        place = picture[top : top + 84, left : left + 84]
        place[:] = np.minimum(place, 235 - 0.8 * np.kron(image, np.ones((3, 3))))
    assert sum(map(len, segment(picture))) == rows * columns


def test_a_broken_digit_is_joined_where_the_network_is_sure():
    """Both halves of a 0, side by side, are as high as digits."""
    picture = sheet((0, 100, 60), (2, 350, 60))
    [whole] = segment(picture)
    left, _, width, _ = whole[0].box
    middle = left + width // 2
    picture[:, middle - 7 : middle + 7] = 255

    def score(images):
        return np.log([0.9 if likeness(image, whole[0].image) > 0.6 else 0.3 for image in images])

    [line] = segment(picture)
    assert len(line) == 3
    [line] = segment(picture, lambda images: np.full(len(images), np.log(0.5)))
    assert len(line) == 3
    [line] = segment(picture, score)
    assert [digit.box for digit in line] == [digit.box for digit in whole]


def test_pieces_of_lines_and_small_marks_are_no_digits():
    picture = sheet(*PLACES)
    expected = [digit.box for [*line] in segment(picture) for digit in line]
    for left, top in (20, 100), (60, 150):
        picture[top : top + 70, left : left + 3] = 0
    picture[230:286, 300:356] -= np.kron(digits([3])[0], np.ones((2, 2), np.uint8))
    assert [digit.box for [*line] in segment(picture) for digit in line] == expected


def test_lines_of_text_are_left_out():
    """A line with some signs stays, and so does text where there is nothing else."""

    def line(*probabilities):
        return [Digit((0, 0, 9, 9), np.full((28, 28), 100 * p, np.uint8)) for p in probabilities]

    def score(images):
        return np.log(images[:, 0, 0] / 100)

    text, number, mixed = line(0.2, 0.8, 0.3), line(0.9, 0.8), line(0.9, 0.2, 0.6)
    assert without_text([text, number, mixed], score) == [number, mixed]
    assert without_text([text], score) == [text]
    assert without_text([], score) == []
