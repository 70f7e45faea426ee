"""Notifications: rules watch the box and its workers, alerts fire, channels tell people.

Read `service` (the look at every rule), `alerts` (what fires), `outbox` (how it reaches people), `desk` (what people
do).
"""
