"""The media type of a file by its name, the same on every machine, and whether compressing it is worth the while.

Python's own table is extended by the machine's, so it would differ from one to the next; this one is a copy of what
sites are made of (IANA's names; JavaScript as RFC 9239 has it).
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

_TEXT: Final = {
    **dict.fromkeys(("html", "htm"), "text/html"),
    **dict.fromkeys(("js", "mjs", "cjs"), "text/javascript"),
    "css": "text/css",
    **dict.fromkeys(("txt", "text", "log", "asc", "toml"), "text/plain"),
    **dict.fromkeys(("md", "markdown"), "text/markdown"),
    "csv": "text/csv",
    "ics": "text/calendar",
    "vcf": "text/vcard",
    "vtt": "text/vtt",
    "srt": "application/x-subrip",
    **dict.fromkeys(("yaml", "yml"), "application/yaml"),
    **dict.fromkeys(("jsonl", "ndjson"), "application/x-ndjson"),
    **dict.fromkeys(("json", "map"), "application/json"),
    "jsonld": "application/ld+json",
    "geojson": "application/geo+json",
    "webmanifest": "application/manifest+json",
    "xml": "application/xml",
    **dict.fromkeys(("xsl", "xslt"), "application/xslt+xml"),
    "gpx": "application/gpx+xml",
    "kml": "application/vnd.google-earth.kml+xml",
    "mpd": "application/dash+xml",
    "m3u8": "application/vnd.apple.mpegurl",
    "rss": "application/rss+xml",
    "atom": "application/atom+xml",
    "xhtml": "application/xhtml+xml",
    "svg": "image/svg+xml",
    "wgsl": "text/wgsl",
}
_PACKED: Final = {
    "png": "image/png",
    **dict.fromkeys(("jpg", "jpeg", "jfif"), "image/jpeg"),
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
    "apng": "image/apng",
    "jxl": "image/jxl",
    "heic": "image/heic",
    "heif": "image/heif",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "aac": "audio/aac",
    "flac": "audio/flac",
    **dict.fromkeys(("oga", "ogg", "opus"), "audio/ogg"),
    "weba": "audio/webm",
    **dict.fromkeys(("mp4", "m4v"), "video/mp4"),
    "webm": "video/webm",
    "ogv": "video/ogg",
    "mov": "video/quicktime",
    "mkv": "video/matroska",
    "ts": "video/mp2t",
    "m4s": "video/iso.segment",
    "zip": "application/zip",
    **dict.fromkeys(("gz", "tgz"), "application/gzip"),
    "br": "application/octet-stream",
    "zst": "application/zstd",
    "7z": "application/x-7z-compressed",
    "kmz": "application/vnd.google-earth.kmz",
    "apk": "application/vnd.android.package-archive",
    "pdf": "application/pdf",
    "epub": "application/epub+zip",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "odt": "application/vnd.oasis.opendocument.text",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "odp": "application/vnd.oasis.opendocument.presentation",
}
_OTHER: Final = {
    **dict.fromkeys(("ico", "cur"), "image/x-icon"),
    "bmp": "image/bmp",
    **dict.fromkeys(("tif", "tiff"), "image/tiff"),
    "wav": "audio/wav",
    "ttf": "font/ttf",
    "otf": "font/otf",
    "eot": "application/vnd.ms-fontobject",
    "wasm": "application/wasm",
    "tar": "application/x-tar",
    "rtf": "application/rtf",
    "glb": "model/gltf-binary",
    "gltf": "model/gltf+json",
    "usdz": "model/vnd.usdz+zip",
}
_UTF_8_ALWAYS: Final = ("json", "yaml", "mpegurl")
_UNKNOWN: Final = "application/octet-stream"
_WELL_KNOWN: Final = {
    "/.well-known/apple-app-site-association": "application/json",
    "/apple-app-site-association": "application/json",
}


def content_type(path: str) -> str:
    """The value of Content-Type for a file of a site, with the charset where it is text: sites are UTF-8."""
    if path in _WELL_KNOWN:
        return _WELL_KNOWN[path]
    ending = PurePosixPath(path).suffix[1:].lower()
    text = _TEXT.get(ending)
    if text is not None:
        return text if text.endswith(_UTF_8_ALWAYS) else f"{text}; charset=utf-8"
    return _PACKED.get(ending) or _OTHER.get(ending) or _UNKNOWN


def compresses(path: str) -> bool:
    """Whether its bytes are likely to become fewer."""
    ending = PurePosixPath(path).suffix[1:].lower()
    return ending in _TEXT or ending in _OTHER or path in _WELL_KNOWN
