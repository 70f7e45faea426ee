"""The same picture in newer types: WebP, and AVIF for photographs. Only in the optimiser process.

Pictures without loss stay so. What could come out different from what browsers show of the original is left alone:
animations, CMYK, 16 bits, unusual gamma, colour profiles of another kind.
"""

from __future__ import annotations

import io
import warnings
from typing import Any, Final

from PIL import Image, ImageOps

MAX_PIXELS: Final = 50_000_000
_AVIF_PIXELS: Final = 16_000_000
_WEBP_SIDE: Final = 16_383
_FORMATS: Final = ("PNG", "JPEG", "GIF")
_WORTH: Final = 0.95
_WEBP_QUALITY: Final = 82
_AVIF_QUALITY: Final = 60
_AVIF_SPEED: Final = 6
"""Out of 10: a second for two million points. Both qualities look alike, measured by what they make of a picture."""
_GAMMA: Final = (0.44, 0.47)
"""What means the same as sRGB."""


class NotPicture(ValueError):
    """Why a picture is left as it is."""


def configure() -> None:
    """A picture that unpacks to more than the bound is an error, not a warning."""
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    warnings.simplefilter("error", Image.DecompressionBombWarning)


def variants(data: bytes) -> dict[str, bytes]:
    """By media type, only what is at least a twentieth smaller. Raises `NotPicture`."""
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
            return _variants(opened, data)
    except NotPicture:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise NotPicture(f"it has more than {MAX_PIXELS // 1_000_000} million pixels") from error
    except MemoryError as error:
        raise NotPicture("it needs too much memory") from error
    except Exception as error:  # of a broken file, libraries raise what they like
        raise NotPicture("it is broken, or no picture of its type") from error


def _variants(opened: Image.Image, data: bytes) -> dict[str, bytes]:
    if opened.width * opened.height > MAX_PIXELS:
        raise NotPicture(f"it has more than {MAX_PIXELS // 1_000_000} million pixels")
    _check(opened, data)
    profile = opened.info.get("icc_profile")
    opened.load()
    photograph = opened.format == "JPEG"
    picture = ImageOps.exif_transpose(opened)
    has_alpha = picture.mode in ("LA", "PA", "RGBA") or "transparency" in picture.info
    picture = picture.convert("RGBA" if has_alpha else "RGB")
    kept: dict[str, Any] = {"icc_profile": profile} if profile else {}
    found: dict[str, bytes] = {}
    most = len(data) * _WORTH
    if max(picture.size) <= _WEBP_SIDE:
        how: dict[str, Any] = {"quality": _WEBP_QUALITY} if photograph else {"lossless": True, "exact": True}
        _keep(found, "image/webp", _save(picture, "WEBP", method=4, **how, **kept), most)
    if photograph and picture.width * picture.height <= _AVIF_PIXELS:
        smallest = min([most, *(len(form) for form in found.values())])
        _keep(
            found,
            "image/avif",
            _save(picture, "AVIF", quality=_AVIF_QUALITY, speed=_AVIF_SPEED, max_threads=1, **kept),
            smallest,
        )
    return found


def _keep(found: dict[str, bytes], kind: str, form: bytes, most: float) -> None:
    if len(form) <= most:
        found[kind] = form


def _check(opened: Image.Image, data: bytes) -> None:
    if getattr(opened, "n_frames", 1) != 1:
        raise NotPicture("it moves")
    if opened.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA") or (opened.format == "PNG" and data[24] == 16):
        raise NotPicture(f"its colours are {'16 bits deep' if opened.format == 'PNG' else opened.mode}")
    profile = opened.info.get("icc_profile")
    if profile and bytes(profile[16:20]) != b"RGB ":
        raise NotPicture("its colour profile is not for RGB")
    gamma = opened.info.get("gamma")
    if gamma is not None and not profile and "srgb" not in opened.info and not _GAMMA[0] <= gamma <= _GAMMA[1]:
        raise NotPicture("it has a gamma of its own")
    if opened.format == "PNG" and b"cICP" in data[:4_096]:
        raise NotPicture("its colours are those of a television")


def _save(picture: Image.Image, kind: str, **how: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **how)
    return out.getvalue()
