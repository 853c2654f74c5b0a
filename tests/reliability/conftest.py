import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True)
def one_thread():
    """As in the processes that the tests start: what is compared to the bit uses the same number of
    threads.
    """
    with threadpool_limits(1, "blas"):
        yield
