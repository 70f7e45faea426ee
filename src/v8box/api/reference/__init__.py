"""The reference of the API, made of its OpenAPI document: a page of its own (`page`), and docs/api-reference.md
(`markdown`). Both show what `outline` finds in the document."""
