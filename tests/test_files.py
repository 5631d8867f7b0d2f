"""A file is written whole or not at all."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from annlab._support.files import atomic_write


def test_atomic_write_keeps_the_old_file_on_error(tmp_path):
    target = tmp_path / "a.json"
    target.write_text("older")
    with pytest.raises(RuntimeError), atomic_write(target, text=True) as file:
        file.write("half of it")
        raise RuntimeError
    assert target.read_text() == "older" and list(tmp_path.iterdir()) == [target]


def test_atomic_write_of_text(tmp_path):
    with atomic_write(tmp_path / "a.txt", text=True) as file:
        file.write("é\n")
    assert (tmp_path / "a.txt").read_bytes() == "é\n".encode()
    (tmp_path / "b.txt").write_text("")
    modes = {stat.S_IMODE(os.stat(path).st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1, "others may read it as any other new file"


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, atomic_write(tmp_path / "no" / "a.bin"):
        pass
    assert caught.value.filename == str(tmp_path / "no")


def test_full_disk_is_named(tmp_path):
    with pytest.raises(OSError, match=f"disk that holds {tmp_path.resolve()} is full") as caught:
        with atomic_write(tmp_path / "a.npz"):
            raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.errno == errno.ENOSPC
