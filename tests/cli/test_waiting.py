import io
from threading import Event, active_count

import pytest

from nnmnist.cli import waiting
from nnmnist.cli.terminal import notice
from nnmnist.cli.waiting import show_temporarily, waiting_for

DEADLINE = 60  # seconds; the tests wait for events


class Terminal(io.StringIO):
    """A terminal that sets an event when a text is written."""

    def __init__(self):
        super().__init__()
        self.expected, self.seen = "", Event()

    def isatty(self):
        return True

    def write(self, text):
        n = super().write(text)
        if self.expected and self.expected in self.getvalue():
            self.seen.set()
        return n

    def wait_for(self, text):
        self.expected = text
        self.seen.clear()
        self.write("")
        assert self.seen.wait(DEADLINE)


@pytest.fixture
def open_terminal(monkeypatch):
    """A function that makes stderr a terminal; pytest replaces stderr before each test starts."""

    def open_one():
        found = Terminal()
        monkeypatch.setattr("sys.stderr", found)
        return found

    monkeypatch.setattr(waiting, "FIRST", 0.001)
    monkeypatch.setattr(waiting, "EVERY", 0.001)
    return open_one


def test_it_says_what_takes_long_and_leaves_nothing(open_terminal):
    terminal = open_terminal()
    threads = active_count()
    with waiting_for("loading data"):
        terminal.wait_for("\rloading data ... 0 s\x1b[K")
        with waiting_for("generating digits"):
            terminal.wait_for("\rgenerating digits ... 0 s\x1b[K")
    assert terminal.getvalue().endswith("\r\x1b[K")
    assert active_count() == threads


def test_an_error_ends_it(open_terminal):
    terminal = open_terminal()

    def be_interrupted():
        terminal.wait_for("loading data")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), waiting_for("loading data"):
        be_interrupted()
    assert terminal.getvalue().endswith("\r\x1b[K")
    terminal.truncate(0)
    with waiting_for("predicting"):
        terminal.wait_for("predicting")
    assert "loading data" not in terminal.getvalue()


def test_a_notice_stands_on_a_line_of_its_own(open_terminal):
    terminal = open_terminal()
    show_temporarily("loading data ... 3 s")
    notice("the folder is empty")
    assert terminal.getvalue() == "\rloading data ... 3 s\x1b[K\r\x1b[Kthe folder is empty\n"


def test_it_is_silent_if_quiet_or_without_a_terminal(open_terminal, monkeypatch):
    terminal = open_terminal()
    threads = active_count()
    with waiting_for("loading data", quiet=True):
        assert active_count() == threads
    monkeypatch.setattr(terminal, "isatty", lambda: False)
    with waiting_for("loading data"):
        assert active_count() == threads
    assert terminal.getvalue() == ""


def test_a_progress_bar_hides_it(open_terminal):
    terminal = open_terminal()
    from tqdm import tqdm

    with waiting_for("loading data"):
        terminal.wait_for("loading data")
        with tqdm(total=2, file=io.StringIO()):
            terminal.wait_for("s\x1b[K\r\x1b[K")
        terminal.truncate(0)
        terminal.wait_for("loading data")


def test_a_long_reason_fits_the_terminal(open_terminal):
    terminal = open_terminal()
    with waiting_for("x" * 200):
        terminal.wait_for(f"\r{'x' * 79}\x1b[K")


def test_a_name_cannot_control_the_terminal(open_terminal):
    terminal = open_terminal()
    with waiting_for("reading \x1b]0;owned\x07\n"):
        terminal.wait_for(r"reading \x1b]0;owned\x07\n ... 0 s")
    show_temporarily("\x1b]0;owned\x07")
    assert "\x1b]" not in terminal.getvalue()
    show_temporarily("")


def test_commands_say_what_takes_long(on_terminal):
    written = on_terminal("data", "show", "synthetic")
    assert "\rloading data ... 1 s\x1b[K" in written
    assert written.endswith("\r\x1b[Kdigits.png\r\n")
