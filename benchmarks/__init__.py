"""Measurements of the box against bare Deno, bare workerd, and the targets we set ourselves. Start: `make bench`."""
