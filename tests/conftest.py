"""What all tests need."""

import signal

import pytest


@pytest.fixture(autouse=True, scope="session")
def interruptible():
    """Ctrl-C reaches the commands under test: what a shell starts in the background ignores it, and its children do too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
