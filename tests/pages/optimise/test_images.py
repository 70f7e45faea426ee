"""A picture's other forms show the same picture, and what could come out different is left alone."""

from __future__ import annotations

import io
import random
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms, ImageDraw, ImageFilter, ImageStat

from v8box.features.pages.optimise import images
from v8box.features.pages.optimise.images import NotPicture, variants


@pytest.fixture(autouse=True)
def _configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", images.MAX_PIXELS)


def photograph(size: tuple[int, int] = (480, 320)) -> Image.Image:
    """Soft shapes, light from one side, a little noise: what cameras make."""
    chance = random.Random(7)
    picture = Image.linear_gradient("L").resize(size).convert("RGB")
    draw = ImageDraw.Draw(picture)
    for _ in range(30):
        x, y, radius = chance.randrange(size[0]), chance.randrange(size[1]), chance.randrange(5, 60)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), tuple(chance.randrange(256) for _ in range(3)))
    picture = picture.filter(ImageFilter.GaussianBlur(1.2))
    grain = Image.frombytes("L", (size[0] // 2, size[1] // 2), chance.randbytes(size[0] // 2 * (size[1] // 2)))
    return Image.blend(picture, grain.resize(size, Image.Resampling.BICUBIC).convert("RGB"), 0.06)


def encoded(picture: Image.Image, kind: str, **how: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **how)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of a channel, out of 255."""
    assert one.size == other.size
    return max(ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean)


def test_a_photograph() -> None:
    data = encoded(photograph(), "JPEG", quality=92)
    forms = variants(data)
    assert set(forms) == {"image/webp", "image/avif"}
    assert len(forms["image/avif"]) < len(forms["image/webp"]) < len(data) * 0.95
    for form in forms.values():
        assert difference(opened(form), opened(data)) < 4
    assert opened(forms["image/webp"]).format == "WEBP"
    assert opened(forms["image/avif"]).format == "AVIF"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "1", "LA"])
def test_graphics_lose_nothing(mode: str) -> None:
    picture = Image.new("RGBA", (300, 200), (10, 20, 30, 0))
    draw = ImageDraw.Draw(picture)
    for place in range(0, 300, 12):
        draw.line((place, 0, 300 - place, 200), fill=(place % 256, 128, 200, 255 - place % 200), width=3)
    data = encoded(picture.convert(mode), "PNG")
    forms = variants(data)
    assert set(forms) <= {"image/webp"}
    for form in forms.values():
        assert opened(form).convert("RGBA").tobytes() == opened(data).convert("RGBA").tobytes()


def test_transparency_of_a_palette_stays() -> None:
    picture = Image.new("P", (256, 256))
    picture.putpalette(bytes(range(256)) * 3)
    picture.putdata([(x * y) % 7 for x in range(256) for y in range(256)])
    data = encoded(picture, "PNG", transparency=3, compress_level=1)
    assert opened(variants(data)["image/webp"]).convert("RGBA").tobytes() == opened(data).convert("RGBA").tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_camera_was_held_in_some_way(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = photograph((320, 200))
    data = encoded(picture, "JPEG", quality=92, exif=exif)
    for form in variants(data).values():
        shown = opened(form)
        assert shown.size == ((320, 200) if orientation < 5 else (200, 320))
        assert shown.getexif().get(0x0112, 1) == 1
        back = {
            2: Image.Transpose.FLIP_LEFT_RIGHT,
            3: Image.Transpose.ROTATE_180,
            4: Image.Transpose.FLIP_TOP_BOTTOM,
            5: Image.Transpose.TRANSPOSE,
            6: Image.Transpose.ROTATE_270,
            7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_90,
        }
        expected = picture if orientation == 1 else picture.transpose(back[orientation])
        assert difference(shown, expected) < 4


def test_the_colour_profile_stays() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for kind in ("JPEG", "PNG"):
        for form in variants(encoded(photograph(), kind, icc_profile=profile)).values():
            assert opened(form).info["icc_profile"] == profile


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, *, depth: int = 8, colour: int = 2, more: bytes = b"", body: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + more + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def moving(kind: str) -> bytes:
    frames = [photograph((60, 40)), photograph((60, 40)).transpose(Image.Transpose.ROTATE_180)]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:])


FLAT = zlib.compress(b"\0" + b"\x80" * 24, 0)
GREY_PROFILE = b"\0" * 16 + b"GRAY" + b"\0" * 108


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "broken"),
        (b"GIF89a", "broken"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 300, "broken"),
        (encoded(photograph(), "JPEG")[:4_000], "broken"),
        (encoded(photograph(), "PNG")[:4_000], "broken"),
        (encoded(photograph(), "WEBP"), "broken, or no picture of its type"),
        (encoded(photograph().convert("CMYK"), "JPEG"), "CMYK"),
        (encoded(Image.new("I;16", (40, 40), 500), "PNG"), "16 bits"),
        (png(4, 1, depth=16, body=FLAT), "16 bits"),
        (png(8, 1, more=chunk(b"gAMA", struct.pack(">I", 100_000)), body=FLAT), "gamma"),
        (png(8, 1, more=chunk(b"cICP", b"\x09\x10\x00\x01"), body=FLAT), "television"),
        (encoded(photograph().convert("L"), "JPEG", icc_profile=GREY_PROFILE), "not for RGB"),
        (moving("GIF"), "moves"),
        (moving("PNG"), "moves"),
        (png(10_000, 10_000, body=zlib.compress(b"\0" * 30_010_000)), "million pixels"),
        (png(8_000, 7_000), "million pixels"),
        (png(400_000, 400_000), "million pixels"),
    ],
)
def test_what_is_left_alone(data: bytes, reason: str) -> None:
    with pytest.raises(NotPicture, match=reason):
        variants(data)


def test_nothing_is_kept_that_is_not_smaller() -> None:
    noise = Image.frombytes("RGB", (64, 64), random.Random(1).randbytes(64 * 64 * 3))
    data = encoded(noise, "JPEG", quality=5)
    assert all(len(form) <= len(data) * 0.95 for form in variants(data).values())


@given(st.binary(max_size=300), st.integers(0, 5_000))
def test_whatever_comes(noise: bytes, place: int) -> None:
    for whole in (_JPEG, _PNG, _GIF):
        data = whole[: place % len(whole)] + noise + whole[place % len(whole) + len(noise) :]
        try:
            assert all(len(form) <= len(data) for form in variants(data).values())
        except NotPicture:
            continue


_JPEG = encoded(photograph((48, 32)), "JPEG")
_PNG = encoded(photograph((48, 32)), "PNG")
_GIF = encoded(photograph((48, 32)), "GIF")
