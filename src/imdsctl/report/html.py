"""The report as one HTML file that needs nothing else: no script, no font, no network."""

import base64
import hashlib
import re
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files

import jinja2
from markupsafe import Markup, escape
from msgspec import structs

from imdsctl.report.chart import calls_chart
from imdsctl.report.data import DefaultsRow, InstanceRow, ReportData
from imdsctl.report.gaps import gap_rows

CELLS, GAPS, PATHS, DEFAULTS, IMAGES, CALLERS = 60, 60, 40, 40, 40, 12
"""Rows that a table shows before it counts the rest: 20,000 instances must stay one page."""

_TICKS = re.compile("`([^`]+)`")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def render_html(data: ReportData) -> str:
    """The page. Everything that comes from AWS is escaped."""
    style = (files("imdsctl.report") / "templates" / "report.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    chart = calls_chart(data.calls_per_day)
    callers = [row for row in data.instances if row.calls or row.rejected]
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            data=data,
            # Both are our own: the style sheet of this package, and the chart made of numbers.
            style=Markup(style),  # noqa: S704
            style_hash=digest,
            chart=Markup(chart) if chart else None,  # noqa: S704
            calls=sum(d.v1 for d in data.calls_per_day),
            rejected=sum(d.rejected for d in data.calls_per_day),
            cells=[c for c in data.cells if c.total or c.partial],
            gaps=gap_rows(data.unreadable),
            defaults=_alike(data.account_defaults),
            callers=sorted(callers, key=_busiest)[:CALLERS],
            callers_rest=max(0, len(callers) - CALLERS),
            shown={
                "cells": CELLS,
                "gaps": GAPS,
                "paths": PATHS,
                "defaults": DEFAULTS,
                "images": IMAGES,
            },
        )
        .lstrip()
    )


def _alike(rows: list[DefaultsRow]) -> list[tuple[DefaultsRow, list[str]]]:
    """Regions of one account that have the same defaults, in one row."""
    regions: dict[DefaultsRow, tuple[DefaultsRow, list[str]]] = {}
    for row in rows:
        key = structs.replace(row, region="")
        regions.setdefault(key, (row, []))[1].append(row.region)
    return list(regions.values())


def _busiest(row: InstanceRow) -> tuple[int, str]:
    return -((row.calls or 0) + (row.rejected or 0)), row.id


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("imdsctl.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "num": _number,
        "utc": _utc,
        "span": _span,
        "of": _share,
        "count": _count,
        "plain": _plain,
        "opening": _opening,
        "commands": _commands,
    }
    return environment


def _number(value: int) -> str:
    return f"{value:,}"


def _count(value: int, noun: str) -> str:
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"


def _utc(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _span(seconds: int) -> str:
    for size, unit in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")):
        if seconds >= size and seconds % size == 0:
            return _count(seconds // size, unit)
    return _count(seconds, "second")


def _share(part: int, whole: int) -> float:
    """Per cent, for widths."""
    return round(100 * part / whole, 3) if whole else 0.0


_PLAIN = {
    "instance-options": "instances set to V2 only",
    "launch-template-version": "new launch template versions",
    "launch-template-default": "launch template defaults",
    "asg-launch-template": "Auto Scaling groups pointed at a new template version",
    "instance-refresh": "instance refreshes",
    "nodegroup-version": "EKS node groups updated",
    "launch-configuration-replacement": "launch configurations replaced by templates",
    "account-defaults": "account defaults",
    "beanstalk-option": "Elastic Beanstalk environments set to V2 only",
    "in-doubt": "in doubt (the answer never came)",
    "rolled-back": "rolled back",
    "calls": "IMDSv1 calls",
    "launch-templates": "launch templates",
    "launch-configurations": "launch configurations",
    "groups": "Auto Scaling groups",
    "environments": "Elastic Beanstalk environments",
    "capacity-providers": "ECS capacity providers",
    "traces": "host traces",
    "nodegroups": "EKS node groups",
    "imds-off": "IMDS off",
    "v2-only": "V2 only",
}


def _opening(text: str) -> str:
    """The text with its first letter large, the others left as they are."""
    return text[:1].upper() + text[1:]


def _commands(text: str) -> Markup:
    """Escaped text in which what stands in backticks is marked up as code."""
    return Markup(_TICKS.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704  (escaped first)


def _plain(word: str) -> str:
    """A word of ours as a reader would say it."""
    return _PLAIN.get(word, word.replace("-", " "))
