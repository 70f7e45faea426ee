"""What holds for every test."""

from __future__ import annotations

import functools

import botocore.session  # type: ignore[import-untyped, unused-ignore]
from hypothesis import HealthCheck, settings

# On a busy machine anything may take long: hypothesis looks for what is wrong, and not for what is slow.
settings.register_profile("v8box", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("v8box")

# A hundred tests make an S3 client, and each would read the description of the whole service again.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)
