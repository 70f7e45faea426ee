"""What a rule makes of the signals: one reading for each worker, check or quota that it covers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from v8box.catalog.model import DEFAULT_PROJECT
from v8box.features.notifications.model import Rule
from v8box.features.notifications.signals import CheckState, Deaths, QuotaUse, Reading, Samples, Where

_P95 = 0.95


async def of_error_rate(rule: Rule, samples: Samples) -> list[Reading]:
    readings = []
    async for where, window in samples.windows(rule):
        per_cent = 100 * window.error_rate
        active = window.requests >= rule.min_requests and per_cent > rule.threshold
        readings.append(
            Reading(
                subject=where.subject,
                active=_known(active, samples.covers(rule.window_seconds)),
                title=f"{where.worker}: {per_cent:.1f} % of requests fail",
                text=f"{window.errors} of {window.requests} requests failed in {_span(rule.window_seconds)}; more than "
                f"{rule.threshold:g} % is too much.",
                advice=_command(f"logs {where.worker} --level error", where.project),
                value=round(per_cent, 2),
                facts=_facts(where),
            )
        )
    return readings


async def of_latency(rule: Rule, samples: Samples) -> list[Reading]:
    readings = []
    async for where, window in samples.windows(rule):
        p95 = window.quantile_ms(_P95)
        active = window.requests >= rule.min_requests and p95 > rule.threshold
        readings.append(
            Reading(
                subject=where.subject,
                active=_known(active, samples.covers(rule.window_seconds)),
                title=f"{where.worker}: p95 is {p95:.0f} ms",
                text=f"One of twenty of {window.requests} requests in {_span(rule.window_seconds)} took longer; above "
                f"{rule.threshold:g} ms is too slow.",
                advice=_command(f"slow --worker {where.worker}", where.project),
                value=round(p95, 1),
                facts=_facts(where),
            )
        )
    return readings


def of_terminations(rule: Rule, deaths: Deaths) -> list[Reading]:
    """A worker that has none is not among them: it is not active."""
    covered = deaths.covers(rule.window_seconds)
    readings = [] if covered else [Reading(subject="*", active=None)]
    for where, reasons in deaths.count(rule.window_seconds, rule.reasons).items():
        if not rule.covers(where.project, where.worker, where.environment):
            continue
        count = reasons.total()
        told = ", ".join(f"{reason} {number}" for reason, number in reasons.most_common())
        readings.append(
            Reading(
                subject=where.subject,
                active=_known(count >= max(1, rule.threshold), covered),
                title=f"{where.worker}: {_sandboxes(count)} ended ({reasons.most_common(1)[0][0]})",
                text=f"In {_span(rule.window_seconds)}: {told}.",
                advice=_command(f"kills --worker {where.worker}", where.project),
                value=float(count),
                facts=_facts(where) | {"reasons": told},
            )
        )
    return readings


def of_health(rule: Rule, checks: Sequence[CheckState]) -> list[Reading]:
    bad = ("fail",) if rule.status == "fail" else ("warn", "fail")
    return [
        Reading(
            subject=each.name,
            active=each.status in bad,
            title=f"{each.name} is not well" if each.status == "fail" else f"{each.name}: look after it",
            text=each.value,
            advice=each.advice,
            facts={"check": each.name, "status": each.status},
        )
        for each in checks
        if not rule.checks or each.name in rule.checks
    ]


def of_quotas(rule: Rule, used: Mapping[str, Sequence[QuotaUse]]) -> list[Reading]:
    readings = []
    for project, quotas in used.items():
        if not rule.covers(project):
            continue
        for each in quotas:
            if (rule.quotas and each.quota not in rule.quotas) or each.limit <= 0:
                continue
            per_cent = 100 * each.used / each.limit
            readings.append(
                Reading(
                    subject=f"{project}:{each.quota}",
                    active=per_cent >= rule.threshold,
                    title=f"{project} has used {per_cent:.0f} % of its {each.quota.replace('_', ' ')}",
                    text=f"{each.used:.15g} of {each.limit:.15g}.",
                    advice="use less, or let an admin of the box raise the quota: v8box project",
                    value=round(per_cent, 1),
                    facts={"project": project, "quota": each.quota},
                )
            )
    return readings


def _command(words: str, project: str) -> str:
    """What to type to see more of it."""
    return f"v8box {words}" if project == DEFAULT_PROJECT else f"v8box {words} --project {project}"


def _known(active: bool, covered: bool) -> bool | None:
    """What is active now is so; that it is not can be said once the whole window has been looked at."""
    return active if active or covered else None


def _facts(where: Where) -> dict[str, str]:
    return {"project": where.project, "worker": where.worker, "environment": where.environment}


def _span(seconds: int) -> str:
    return f"{seconds // 60} minutes" if seconds >= 120 and seconds % 60 == 0 else f"{seconds} seconds"


def _sandboxes(count: int) -> str:
    return "a sandbox" if count == 1 else f"{count} sandboxes"
