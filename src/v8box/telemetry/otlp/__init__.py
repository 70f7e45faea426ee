"""Runs and lines for an OpenTelemetry collector: OTLP over HTTP, as JSON."""

from v8box.telemetry.otlp.exporter import Exporter

__all__ = ["Exporter"]
