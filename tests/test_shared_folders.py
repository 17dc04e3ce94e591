"""Several users that need the same folder: one of them fills it. A lock separates threads as it does processes."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.shared_folders import shared_folder

USERS = 3


def test_one_of_several_users_fills_it_and_the_last_one_deletes_it(tmp_path: Path) -> None:
    everybody, fills = threading.Barrier(USERS), []

    def fill(folder: Path) -> None:
        fills.append(folder)
        (folder / "content").write_text("complete")

    def use() -> str:
        everybody.wait()
        with shared_folder(tmp_path, "x", fill) as folder:
            content = (folder / "content").read_text()
            # Nobody leaves before everybody has come.
            everybody.wait()
            return content

    with ThreadPoolExecutor(USERS) as pool:
        users = [pool.submit(use) for _ in range(USERS)]
    assert [user.result() for user in users] == ["complete"] * USERS
    assert fills == [tmp_path / "x"]
    assert not (tmp_path / "x").exists()


def test_it_stays_until_nobody_uses_it(tmp_path: Path) -> None:
    with shared_folder(tmp_path, "x", lambda folder: (folder / "content").touch()) as folder:
        with shared_folder(tmp_path, "x", lambda _: pytest.fail("it was filled twice")):
            pass
        assert (folder / "content").exists()
    assert not folder.exists()


def test_after_an_error_it_is_filled_again(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "part").touch()
        raise RuntimeError("full disk")

    with pytest.raises(RuntimeError, match="full disk"), shared_folder(tmp_path, "x", fail):
        pass
    with shared_folder(tmp_path, "x", lambda folder: (folder / "content").touch()) as folder:
        assert (folder / "content").exists()
        assert not (folder / "part").exists()
