"""JUnit XML, whatever the tests are."""

import re
from typing import Final

from lxml import etree

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def text(value: str) -> str:
    """A text without the characters that XML 1.0 cannot hold."""
    return _NOT_XML.sub("\ufffd", value)


def document(root: etree._Element) -> str:
    """The whole file, indented."""
    etree.indent(root)
    return etree.tostring(root, encoding="unicode", xml_declaration=False).join(
        ('<?xml version="1.0" encoding="UTF-8"?>\n', "\n")
    )
