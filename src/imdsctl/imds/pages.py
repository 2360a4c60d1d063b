"""Bodies and headers of answers, byte for byte as the service writes them."""

from __future__ import annotations

from functools import cache

from imdsctl.imds.message import REASONS

SERVER = "EC2ws"
TTL_ANSWER_HEADER = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"

TEXT = "text/plain"
BINARY = "application/octet-stream"
HTML = "text/html"

_PAGE = """\
<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
\t"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>{title}</title>
 </head>
 <body>
  <h1>{title}</h1>
 </body>
</html>
"""


@cache
def error_page(status: int) -> bytes:
    """The XHTML page of an error: 343 bytes for a 401, 337 for a 404, as on instances."""
    return _PAGE.format(title=f"{status} - {REASONS[status]}").encode("ascii")
