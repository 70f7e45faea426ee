"""What holds for every test."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# On a busy machine anything may take long: hypothesis looks for what is wrong, and not for what is slow.
settings.register_profile("v8box", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("v8box")
