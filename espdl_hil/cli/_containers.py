"""What the verbs that open files share: which model of a pack, and the key of an encrypted one."""

from __future__ import annotations

import argparse
import re


def add_container_options(parser: argparse.ArgumentParser) -> None:
    """Declare ``--model`` and ``--key``; they arrive as ``member`` and ``key``."""
    parser.add_argument(
        "--model",
        "--member",
        dest="member",
        metavar="NAME",
        help="which model of a pack, by name or number (default: the first)",
    )
    add_key_option(parser, "key of an encrypted file")


def add_key_option(parser: argparse.ArgumentParser, help_text: str) -> None:
    """Declare ``--key``."""
    parser.add_argument("--key", type=parse_key, metavar="HEX", help=help_text)


def parse_key(text: str) -> bytes:
    """A key in hexadecimal, plain or as exporters print it (``0x1a, 0x2b, ...``)."""
    try:
        return bytes.fromhex(re.sub(r"0[xX](?=[0-9a-fA-F]{2}\b)|[\s,]", "", text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not hexadecimal") from None
