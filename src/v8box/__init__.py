"""V8Box: a self-hosted serverless platform. Workers in TypeScript on V8; the platform in Python."""

__version__ = "0.1.0"
