"""Errors of workers, forwarded to Sentry and what speaks its protocol (GlitchTip, a self-hosted Sentry).

`events` says what is sent, `lane` sends to one place and bears with it, `forwarder` ties them to the workers.
"""

from v8box.features.errors.sentry.forwarder import VARIABLE, Forwarder, Status

__all__ = ["VARIABLE", "Forwarder", "Status"]
