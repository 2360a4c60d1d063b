"""The numbered steps that bring a store's schema from any older version to the newest.

Each step is one `NNNN_name.sql`, taken whole together with its record in `imdsctl_migration`, or
not at all. A step that was released is never edited. `$identity` (a number that is given out once
and never again), `$bytes` and `$clustered` stand for what the two databases spell differently.
"""
