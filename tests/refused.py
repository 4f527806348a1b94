"""What is refused is refused in one sentence, and the whole of it is compared."""

from contextlib import contextmanager

import pytest


@contextmanager
def refused(error, message):
    with pytest.raises(error) as caught:
        yield
    assert (type(caught.value), str(caught.value)) == (error, message)
