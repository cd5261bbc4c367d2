from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from deblur_cli.cli.signals import exit_on_sigterm, stop_on_signals


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_first_signal_asks_and_all_is_as_before_afterwards(
    number: signal.Signals, exit_code: int
) -> None:
    before = signal.getsignal(number)
    with stop_on_signals() as stop:
        assert stop.exit_code is None
        signal.raise_signal(number)
        assert stop.asked.is_set()
        assert stop.exit_code == exit_code
    assert signal.getsignal(number) is before


@pytest.fixture
def python_s_interrupt() -> Iterator[None]:
    """Ctrl-C raises, also where the tests run in the background and it would be ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("python_s_interrupt")
def test_second_interrupt_stops_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), stop_on_signals() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.asked.is_set()
        signal.raise_signal(signal.SIGINT)


def test_sigterm_ends_tidily_what_is_not_a_batch_yet() -> None:
    before = signal.getsignal(signal.SIGTERM)
    tidied = False
    with pytest.raises(SystemExit) as ended, exit_on_sigterm():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            tidied = True
    assert ended.value.code == 143
    assert tidied
    assert signal.getsignal(signal.SIGTERM) is before


def test_second_sigterm_kills() -> None:
    with exit_on_sigterm(), stop_on_signals() as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.asked.is_set()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
