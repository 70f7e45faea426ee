"""The S3 API: the box's buckets for SDKs, rclone and browsers, with access keys and presigned URLs.

`AccessKeys` (service) makes and finds keys, `S3Api` (server) is the ASGI application over an `ObjectStore`,
`UrlPresigner` signs URLs for the `s3` binding, and `routes` has the admin API of the keys.
"""

from v8box.features.s3_api.presign import UrlPresigner
from v8box.features.s3_api.server import S3Api
from v8box.features.s3_api.service import AccessKey, AccessKeys

__all__ = ["AccessKey", "AccessKeys", "S3Api", "UrlPresigner"]
