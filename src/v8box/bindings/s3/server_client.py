"""The connection to an S3 server: aiobotocore's client, with our own timeouts, retries and errors.

The library is imported at start (it takes half a second), never at a call. It reads nothing of the user's own: no
`~/.aws`, no `AWS_*` profile, no proxy of the environment. Requests are tried again only where that cannot do harm.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
from contextlib import AsyncExitStack
from typing import Any, Final
from urllib.parse import urlsplit

from v8box.bindings.interface import BindingError

logger = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 1.5
READ_SECONDS: Final = 30.0  # between two bytes of an answer; completing a large upload takes servers a while
RETRY_PAUSES: Final = (0.1, 0.3)
CONNECTIONS: Final = 512

_CODES: Final = {
    "BadDigest": ("bad_digest", "the content is not what its digest says"),
    "BucketAlreadyExists": ("bucket_exists", "the server has a bucket of that name already, perhaps somebody else's"),
    "BucketAlreadyOwnedByYou": ("bucket_exists", "there is a bucket of that name already"),
    "BucketNotEmpty": ("bucket_not_empty", "the bucket has objects or open uploads: delete them first"),
    "EntityTooLarge": ("object_too_large", "the S3 server does not take so large a body: send it in parts"),
    "EntityTooSmall": ("part_too_small", "a part but the last is smaller than the S3 server takes (5 MiB, mostly)"),
    "InvalidArgument": ("invalid_argument", "the S3 server refuses an argument"),
    "InvalidBucketName": ("invalid_argument", "the S3 server refuses the bucket's name"),
    "InvalidDigest": ("bad_digest", "the content is not what its digest says"),
    "InvalidPart": ("invalid_part", "a part was not uploaded, or has another etag"),
    "InvalidPartOrder": ("invalid_part_order", "parts are listed once each, by rising number"),
    "InvalidRange": ("invalid_range", "the range is outside the object"),
    "InvalidURI": ("invalid_key", "the S3 server refuses the key"),
    "KeyTooLongError": ("invalid_key", "the S3 server refuses the key: it is too long"),
    "MetadataTooLarge": ("metadata_too_large", "the S3 server does not take so much metadata (2 KB, mostly)"),
    "NoSuchBucket": ("no_such_bucket", "the S3 server has no such bucket"),
    "NoSuchKey": ("no_such_key", "there is no object under the key"),
    "NoSuchUpload": ("no_such_upload", "there is no such upload of that key: it was completed or aborted"),
    "NotImplemented": ("not_available", "the S3 server cannot do this"),
    "PreconditionFailed": ("precondition_failed", "the condition does not hold"),
    "ConditionalRequestConflict": ("precondition_failed", "another request changed the object meanwhile"),
    "QuotaExceeded": ("quota_exceeded", "the S3 server's quota is used up"),
    "RequestHeaderSectionTooLarge": ("metadata_too_large", "the S3 server does not take so much metadata"),
    "TooManyBuckets": ("too_many_buckets", "the S3 server lets these keys make no more buckets"),
}
_REFUSED_KEYS: Final = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403", "Forbidden", "401"}
)
_STATUS_CODES: Final = {
    404: ("not_found", "the S3 server has no such thing"),
    412: ("precondition_failed", "the condition does not hold"),
    413: ("object_too_large", "the S3 server does not take so large a body: send it in parts"),
    416: ("invalid_range", "the range is outside the object"),
    501: ("not_available", "the S3 server cannot do this"),
    507: ("no_space", "the S3 server has no room for this"),
}


class S3Client:
    """`call` speaks to the server at `endpoint`, whose host every error names; keys never are in one."""

    def __init__(self, endpoint: str, access_key: str, secret_key: str, region: str) -> None:
        self._endpoint = endpoint
        self._keys = access_key, secret_key
        self._region = region
        parts = urlsplit(endpoint)
        self.host = parts.hostname or endpoint
        if parts.port is not None:
            self.host = f"{self.host}:{parts.port}"
        self._stack = AsyncExitStack()
        self._client: Any = None
        self._exceptions: Any = None

    async def open(self) -> None:
        """Connects to nothing yet, so the server may be down."""
        session, config, self._exceptions = await asyncio.to_thread(_import_library)
        options = config.AioConfig(
            signature_version="s3v4",
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            max_pool_connections=CONNECTIONS,
            proxies={},
            retries={"total_max_attempts": 1},
            # Checksums that newer AWS has in trailers: other servers refuse them, or keep them as content.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            # Content-MD5 guards the body. Signing it too would hash it a second time, on the loop.
            s3={"addressing_style": "path", "payload_signing_enabled": False},
        )
        nothing = (None, None, os.devnull, None)
        own_settings = {"profile": (None, None, None, None), "config_file": nothing, "credentials_file": nothing}
        context = session.AioSession(session_vars=own_settings).create_client(
            "s3",
            region_name=self._region,
            endpoint_url=self._endpoint,
            aws_access_key_id=self._keys[0],
            aws_secret_access_key=self._keys[1],
            config=options,
        )
        self._client = await self._stack.enter_async_context(context)

    async def close(self) -> None:
        self._client = None
        await self._stack.aclose()

    async def call(self, operation: str, *, once: bool = False, **arguments: Any) -> Any:
        """One request, by the name of the client's method. Tried again where the server or the connection failed,
        unless it may happen `once` only. Raises `BindingError`; a 404 that says no more has the code `not_found`."""
        if self._client is None:
            raise BindingError("not_ready", "the object store is not open")
        for pause in (*RETRY_PAUSES, None):
            try:
                return await getattr(self._client, operation)(**arguments)
            except self._exceptions.ClientError as error:
                fault, passing = self._refused(error), _is_passing(error)
                cause: Exception = error
            except (self._exceptions.ConnectTimeoutError, self._exceptions.EndpointConnectionError) as error:
                raise self.unavailable("cannot be reached") from error
            except self._exceptions.ParamValidationError as error:
                raise BindingError("invalid_argument", f"S3 has no such request: {str(error)[:300]}") from error
            except self._exceptions.ReadTimeoutError as error:
                raise self.unavailable("does not answer") from error
            except self._exceptions.HTTPClientError as error:
                fault, passing, cause = self.unavailable("broke the connection"), True, error
            except (self._exceptions.BotoCoreError, OSError, TimeoutError) as error:
                fault, passing, cause = self.unavailable("cannot be reached"), False, error
            except UnicodeDecodeError as error:
                raise BindingError("io_error", "the S3 server answers headers that are not UTF-8") from error
            if once or not passing or pause is None:
                raise fault from cause
            await asyncio.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def unavailable(self, what: str) -> BindingError:
        return BindingError("unavailable", f"the S3 server {self.host} {what}: try again when it is back")

    def _refused(self, error: Any) -> BindingError:
        answer = error.response
        code = str(answer.get("Error", {}).get("Code", ""))
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        message = str(answer.get("Error", {}).get("Message", ""))[:200]
        known = _CODES.get(code) or _STATUS_CODES.get(status)
        if known is not None:
            return BindingError(known[0], f"{known[1]} ({self.host})" if status != 404 else known[1])
        if code in _REFUSED_KEYS or status in (401, 403):
            logger.warning("the S3 server %s refuses the box's keys: %s %s", self.host, code, message)
            return BindingError(
                "access_denied", f"the S3 server {self.host} refuses the box's keys: check S3_ACCESS_KEY"
            )
        if status >= 500:
            return self.unavailable(f"failed ({code or status})")
        return BindingError("invalid_argument", f"the S3 server {self.host} refuses this ({code or status}): {message}")


def _is_passing(error: Any) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status in (429, 500, 502, 503, 504)


def _import_library() -> tuple[Any, Any, Any]:
    names = ("aiobotocore.session", "aiobotocore.config", "botocore.exceptions")
    session, config, exceptions = (importlib.import_module(name) for name in names)
    return session, config, exceptions
