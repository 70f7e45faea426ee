"""The ASGI application of the S3 API: parse, authenticate, find the operation, perform it, answer in S3's XML."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from typing import Final

from v8box.bindings.interface import BindingError
from v8box.bindings.s3.interface import ObjectStore
from v8box.features.s3_api import dispatch
from v8box.features.s3_api.auth import Authenticator, Caller
from v8box.features.s3_api.call import Answered, Call
from v8box.features.s3_api.errors import ClientGone, S3Error, from_store
from v8box.features.s3_api.payload import Payload
from v8box.features.s3_api.request import Receive, Request, Scope, Send, parse
from v8box.features.s3_api.responses import Response, error_response, preflight, send_response
from v8box.features.s3_api.service import AccessKeys

logger = logging.getLogger(__name__)

DEFAULT_BODY_BYTES: Final = 5 * 1024**3
"""S3's own limit for one put or part."""


class S3Api:
    """Serves the buckets of all projects, each to its own access keys. One instance per box.

    Its scope is that of ASGI, with the complete path in `raw_path` and the part before the bucket in `root_path`.
    """

    def __init__(
        self,
        store: ObjectStore,
        keys: AccessKeys,
        *,
        max_body_bytes: int = DEFAULT_BODY_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`max_body_bytes` bounds one request's body; the store has bounds of its own. `clock`: seconds since 1970."""
        self._store = store
        self._max_body_bytes = max_body_bytes
        self._authenticator = Authenticator(keys, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"an ASGI scope of type {scope['type']!r} is not served")
        request_id = scope.get("request_id") or secrets.token_hex(12)
        method: str = scope["method"]
        try:
            response = await self._answer(scope, receive, request_id)
        except ClientGone:
            return
        await send_response(response, request_id, method, send, receive)

    async def _answer(self, scope: Scope, receive: Receive, request_id: str) -> Response:
        resource = "/"
        try:
            request = parse(scope)
            resource = request.resource
            if request.method == "OPTIONS":
                return preflight(request)
            return await self._perform(request, receive)
        except S3Error as error:
            return error_response(error, request_id, resource)
        except Answered as answered:
            return answered.response
        except ClientGone:
            raise
        except Exception:
            logger.exception("request %s to the S3 API failed", request_id)
            return error_response(S3Error("InternalError"), request_id, resource)

    async def _perform(self, request: Request, receive: Receive) -> Response:
        caller = await self._authenticator.authenticate(request)
        _check_owner(request, caller)
        operation = dispatch.find(request)
        payload = Payload(request, receive, caller.signer, self._max_body_bytes)
        try:
            return await operation(Call(request, caller, payload, self._store))
        except Exception as error:
            if isinstance(payload.failure, S3Error | ClientGone):
                raise payload.failure from error  # the store can only tell that the body broke off
            if not isinstance(error, BindingError):
                raise
            if error.code == "bad_digest":
                raise payload.digest_error() from error
            translated = from_store(error)
            if translated.status == 500:
                logger.error("the object store failed: %s", error)
            raise translated from error


def _check_owner(request: Request, caller: Caller) -> None:
    """A client may say whose bucket it expects to meet. The owner that the lists show is the project."""
    for name in ("x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"):
        if request.headers.get(name, caller.project) != caller.project:
            raise S3Error("AccessDenied", "The bucket belongs to another owner than the expected one.")
