"""Callers over time as a picture: an inline SVG that follows the page's own colours."""

from typing import Any

import vl_convert as vlc

from imdsctl.report.data import Day

V1, REJECTED = "answered", "rejected"


def calls_chart(days: list[Day]) -> str | None:
    """Stacked bars a day; None where no day has any call, as an empty picture says nothing."""
    if not any(day.v1 or day.rejected for day in days):
        return None
    values = [
        {"day": day.day, "calls": count, "kind": kind}
        for day in days
        for kind, count in ((V1, day.v1), (REJECTED, day.rejected))
    ]
    svg: str = vlc.vegalite_to_svg(_spec(values))
    return svg


def _spec(values: list[dict[str, Any]]) -> dict[str, Any]:
    axis = {
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "gridColor": "var(--line)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    }
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": 760,
        "height": 200,
        "background": None,
        "padding": 4,
        "data": {"values": values},
        "mark": {"type": "bar", "width": {"band": 0.8}},
        "encoding": {
            "x": {
                "field": "day",
                "type": "ordinal",
                "timeUnit": "utcyearmonthdate",
                "axis": {
                    "title": None,
                    "labelExpr": "utcFormat(datum.value, '%d %b')",
                    "labelAngle": 0,
                    "labelOverlap": True,
                    "grid": False,
                },
            },
            "y": {
                "field": "calls",
                "type": "quantitative",
                "stack": True,
                "axis": {"title": "IMDSv1 calls per day (UTC)", "tickMinStep": 1, "format": ",d"},
            },
            "color": {
                "field": "kind",
                "type": "nominal",
                "legend": None,
                "scale": {"domain": [V1, REJECTED], "range": ["var(--v1)", "var(--rejected)"]},
            },
            "order": {"field": "kind", "sort": "ascending"},
        },
        "config": {"axis": axis, "view": {"stroke": None}, "font": "sans-serif"},
    }
