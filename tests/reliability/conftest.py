import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True)
def one_thread():
    """Use one BLAS thread, as in the processes that the tests start.

    Results are compared bit by bit, so the number of threads must be the same.
    """
    with threadpool_limits(1, "blas"):
        yield
