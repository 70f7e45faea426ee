"""Archives of strangers: what comes out of good ones, and that of bad ones nothing does."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from v8box.kit.archives import ArchiveError, Bounds, check_path, unpack

Files = dict[str, bytes]
FILES: Files = {"functions/hello.ts": b"export default 1", "lib/a/b.ts": b"", "v8box.toml": b"# x" * 1_000}


def zip_of(files: Files) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return held.getvalue()


def tar_of(files: Files) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return held.getvalue()


BOTH = pytest.mark.parametrize("pack", [zip_of, tar_of])
Pack = Callable[[Files], bytes]


DEFAULT = Bounds()


class Place:
    """A folder to unpack into, with what lies around it."""

    def __init__(self, folder: Path) -> None:
        self.around = folder
        self.folder = folder / "files"
        self.folder.mkdir()

    def unpack(self, data: bytes, bounds: Bounds = DEFAULT, **options: object) -> Files:
        archive = self.around / "upload"
        archive.write_bytes(data)
        unpacked = unpack(archive, self.folder, bounds, **options)  # type: ignore[arg-type]
        found = {name: (self.folder / name).read_bytes() for name in unpacked.files}
        there = {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()}
        assert there == set(found)
        assert unpacked.total_bytes == sum(map(len, found.values()))
        return found

    def refuses(self, data: bytes, message: str, bounds: Bounds = DEFAULT) -> ArchiveError:
        with pytest.raises(ArchiveError, match=message) as caught:
            self.unpack(data, bounds)
        assert sorted(os.listdir(self.around)) == ["files", "upload"]
        assert list(self.folder.iterdir()) == []
        return caught.value


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = tmp_path / "place"
    made.mkdir()
    return Place(made)


@BOTH
def test_files_come_out_as_they_are(place: Place, pack: Pack) -> None:
    assert place.unpack(pack(FILES)) == FILES
    assert {stat.S_IMODE((place.folder / name).stat().st_mode) for name in FILES} == {0o600}


@BOTH
def test_the_one_folder_at_the_top_is_taken_off_unless_it_has_a_meaning(place: Place, pack: Pack) -> None:
    inside = {f"repo-1a2b/{name}": data for name, data in FILES.items()}
    assert place.unpack(pack({"repo-1a2b/": b"", **inside} if pack is zip_of else inside)) == FILES


def test_a_folder_with_a_meaning_stays(place: Place) -> None:
    assert place.unpack(zip_of({"functions/a.ts": b"a"}), keep_top={"functions"}) == {"functions/a.ts": b"a"}


@BOTH
def test_what_systems_leave_in_archives_is_left_out(place: Place, pack: Pack) -> None:
    junk = {"__MACOSX/._a.ts": b"x", "a.ts": b"a", "lib/.DS_Store": b"x", "./b.ts": b"b"}
    assert place.unpack(pack(junk)) == {"a.ts": b"a", "b.ts": b"b"}


@BOTH
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../evil.ts", r"\.\."),
        ("a/../../evil.ts", r"\.\."),
        ("a/./b.ts", "empty part"),
        ("a//b.ts", "empty part"),
        ("/etc/cron.d/evil", "absolute"),
        ("C:/evil.ts", "absolute"),
        ("c:evil.ts", "absolute"),
        ("..\\evil.ts", "backslash"),
        ("a\\b.ts", "backslash"),
        ("a\x01b.ts", "control"),
        ("a\nb.ts", "control"),
        ("x" * 256, "255 bytes"),
        ("é" * 128 + ".ts", "255 bytes"),
        ("a/" * 40 + "b.ts", "deeper"),
        ("/".join(["x" * 200] * 6), "1024 bytes"),
    ],
)
def test_a_name_that_could_mean_something_else_is_refused(place: Place, pack: Pack, name: str, message: str) -> None:
    error = place.refuses(pack({"fine.ts": b"x", name: b"evil"}), message)
    assert error.entry is not None
    assert error.entry.isprintable()


def test_a_nul_in_a_zip_name_is_refused(place: Place) -> None:
    data = zip_of({"a.ts": b"x", "bXc.ts": b"x"}).replace(b"bXc.ts", b"b\0c.ts")
    place.refuses(data, "control")


@BOTH
@pytest.mark.parametrize(
    "names",
    [
        ("a.ts", "a.ts"),
        ("a.ts", "A.ts"),
        ("lib/a.ts", "LIB/b.ts"),
        ("a", "a/b.ts"),
        ("a/b.ts", "a"),
        ("stra\u00dfe.ts", "STRASSE.ts"),
        ("caf\u00e9.ts", "cafe\u0301.ts"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_names_that_are_one_elsewhere_are_refused(place: Place, pack: Pack, names: tuple[str, str]) -> None:
    held = io.BytesIO()
    if pack is zip_of:
        with zipfile.ZipFile(held, "w") as archive:
            for name in names:
                archive.writestr(name, b"x")
    else:
        with tarfile.open(fileobj=held, mode="w:gz") as tar:
            for name in names:
                info = tarfile.TarInfo(name)
                info.size = 1
                tar.addfile(info, io.BytesIO(b"x"))
    place.refuses(held.getvalue(), "same name")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFDIR])
def test_a_zip_with_anything_but_files_is_refused(place: Place, kind: int) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        entry = zipfile.ZipInfo("link")
        entry.create_system = 3
        entry.external_attr = (kind | 0o777) << 16
        archive.writestr(entry, b"/etc/passwd")
    assert place.refuses(held.getvalue(), "link").entry == "link"


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_a_tar_with_anything_but_files_is_refused(place: Place, kind: bytes) -> None:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("first"), io.BytesIO())
        entry = tarfile.TarInfo("link")
        entry.type, entry.linkname = kind, "/etc/passwd"
        archive.addfile(entry)
    assert place.refuses(held.getvalue(), "link").entry == "link"


def test_a_bomb_is_stopped_while_it_unpacks(place: Place) -> None:
    bounds = Bounds(total_bytes=20 * 1_048_576, file_bytes=16 * 1_048_576, ratio=1_000_000)
    zeros = bytes(30 * 1_048_576)
    place.refuses(zip_of({"a.ts": b"x", "bomb": zeros}), "larger than 16 MB", bounds)
    place.refuses(tar_of({"bomb": zeros}), "come out", bounds)
    place.refuses(zip_of({f"{i}": zeros[: 7 * 1_048_576] for i in range(3)}), "more than 20 MB", bounds)
    assert place.refuses(zip_of({"bomb": zeros}), "200 bytes come out").entry == "bomb"
    place.refuses(tar_of({"bomb": zeros}), "200 bytes come out")


def test_too_many_entries_are_refused(place: Place) -> None:
    files = {f"{number}.ts": b"" for number in range(11)}
    for pack in (zip_of, tar_of):
        place.refuses(pack(files), "more than 10 entries", Bounds(entries=10))


def test_a_list_of_entries_that_fills_the_memory_is_not_read(place: Place) -> None:
    place.refuses(zip_of({f"{number:040}": b"" for number in range(50_000)}), "too long")
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo("a")
        entry.pax_headers = {"comment": "x" * 6 * 1_048_576}
        archive.addfile(entry, io.BytesIO())
    place.refuses(held.getvalue(), "too long|come out")


def test_an_encrypted_or_lying_entry_is_refused(place: Place) -> None:
    plain = zip_of({"a.ts": b"x" * 100})
    encrypted = bytearray(plain)
    encrypted[plain.index(b"PK\1\2") + 8] |= 1
    assert place.refuses(bytes(encrypted), "encrypted").entry == "a.ts"
    lying = plain.replace((100).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    place.refuses(lying, "damaged")
    renamed = plain.replace(b"a.ts", b"b.ts", 1)  # another name in front of the data than in the list
    place.refuses(renamed, "damaged")
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.ts", b"x")
    place.refuses(held.getvalue(), "other than deflate")


@BOTH
def test_an_archive_that_was_cut_off_is_refused(place: Place, pack: Pack) -> None:
    data = pack({name: os.urandom(5_000) for name in FILES})
    for length in (0, 1, 2, 30, len(data) // 2, len(data) - 30):
        with pytest.raises(ArchiveError):
            place.unpack(data[:length])
        assert list(place.folder.iterdir()) == []


@pytest.mark.parametrize(
    "data", [b"hello", b"Rar!\x1a\x07", b"7z\xbc\xaf", gzip.compress(b"no tar", mtime=0), zip_of({})]
)
def test_what_is_no_archive_or_an_empty_one_is_refused(place: Place, data: bytes) -> None:
    place.refuses(data, "neither|damaged|cannot be read|no file")


def test_it_ends_when_it_is_told_to(place: Place) -> None:
    with pytest.raises(ArchiveError, match="given up"):
        place.unpack(zip_of(FILES), stopped=lambda: True)
    assert list(place.folder.iterdir()) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=300), st.integers(0, 400), st.sampled_from([zip_of(FILES), tar_of(FILES)]))
def test_no_bytes_do_more_than_be_refused(tmp_path: Path, noise: bytes, at: int, good: bytes) -> None:
    data = good[:at] + noise + good[at + len(noise) :]
    folder = tmp_path / "fuzz"
    folder.mkdir(exist_ok=True)
    (tmp_path / "upload").write_bytes(data)
    try:
        unpacked = unpack(tmp_path / "upload", folder)
    except ArchiveError:
        assert list(folder.iterdir()) == []
    else:
        for name in unpacked.files:
            (folder / name).unlink()
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir()


@given(st.text())
def test_a_path_that_is_let_through_stays_in_its_folder(name: str) -> None:
    try:
        check_path(name)
    except ArchiveError:
        return
    assert os.path.normpath(name) == name
    assert not os.path.isabs(name)
    assert not name.startswith("..")


def test_a_directory_that_lies_before_the_beginning_is_refused(place: Place) -> None:
    end = zip_of(FILES)[-22:]
    place.refuses(b"PK" + end, "damaged|cannot be read|no file")
