"""Static sites: what a release consists of, its `_redirects` and `_headers`, and how a file of it is answered.

Read a request in `serve`: `decide` says what answers it, where `resolve` finds what the path means, `redirects` and
`headers` what the site's own rules say; `answers` sends the bytes. How releases are made is in `features/pages`.
"""
