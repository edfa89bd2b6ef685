"""NumPy's products of small matrices, by one thread.

The threads of OpenBLAS share every product and wait for each other at its end by spinning. Beside programs that
keep the cores busy, a product that takes one thread two milliseconds takes two threads a hundred and more.
"""

import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController


class _Limit:
    """The limit that all blocks share: set by the first that begins, and lifted by the last that ends."""

    def __init__(self) -> None:
        self.libraries = ThreadpoolController().select(internal_api="openblas")
        self.lock = threading.Lock()
        self.blocks = 0
        self.until_the_last = ExitStack()


_limit = cache(_Limit)  # made when it is first needed, for it looks through all libraries that are loaded


@contextmanager
def one_blas_thread() -> Generator[None]:
    """Have OpenBLAS compute with one thread while the block runs, in whatever thread of this process.

    Example:
        >>> import numpy as np
        >>> with one_blas_thread():
        ...     (np.ones((2, 3)) @ np.ones(3)).tolist()
        [3.0, 3.0]
    """
    limit = _limit()
    with limit.lock:
        limit.blocks += 1
        if limit.blocks == 1:
            limit.until_the_last.enter_context(limit.libraries.limit(limits=1))
    try:
        yield
    finally:
        with limit.lock:
            limit.blocks -= 1
            if limit.blocks == 0:
                limit.until_the_last.close()
