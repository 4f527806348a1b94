"""Runs pytest in Pyodide; its last value, pytest's exit code, is what run_in_node.mjs ends with."""

import os
import sys
from collections.abc import Generator

import pytest


class NoThreads:
    """Skips what needs real threads, processes or sockets: none of them is to be had in a tab."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, None, None]:
        from threadviz import NoRealThreads

        try:
            yield
        except NoRealThreads as error:
            pytest.skip(str(error))
        except (RuntimeError, OSError) as error:
            if "can't start new thread" not in str(error) and "does not support processes" not in str(error):
                raise
            pytest.skip(str(error))


os.chdir("/checkout")
sys.dont_write_bytecode = True  # the folder is the checkout itself
int(pytest.main(["-p", "no:cacheprovider", "-o", "faulthandler_timeout=0", *sys.argv[1:]], [NoThreads()]))
