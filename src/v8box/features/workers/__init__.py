"""Workers as a person administers them: what is deployed where, its versions, splits, canaries, retention, logs.

Bringing code is the feature `deploy`.
"""
