"""Work on a cluster that is there already: one address, nothing else to change."""

from collections.abc import Iterator
from contextlib import contextmanager

from joblib import parallel_config

from synth_data.errors import UserError

PATIENCE = 10  # seconds that a scheduler has to answer


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Within it, `side_by_side` works on the cluster; without an address, on this machine.

    Args:
        address: of a Dask scheduler, such as `tcp://host:8786`. This package has to be installed
            where its workers run.

    Raises:
        UserError: Dask is not installed, or no scheduler answers there.
    """
    if address is None:
        yield
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise UserError(
            "Dask is not installed: pip install 'distill-data[cluster]', on the workers too"
        ) from error
    try:
        client = Client(address, timeout=PATIENCE)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise UserError(
            f"no Dask scheduler answers at {address} ({error}): give the address that "
            f"`dask scheduler` prints, such as tcp://host:8786"
        ) from error
    with client, parallel_config(backend="dask"):
        yield
