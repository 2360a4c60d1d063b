"""Stored values become views (HTML, JSON, CSV, SARIF and others); nothing is judged here."""
