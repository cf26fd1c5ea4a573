"""From bytes to clean text: decoding, and one normal form for everything that is compared or hashed."""

import codecs
import html
import unicodedata

_DROPPED = frozenset({"Cc", "Cf", "Cs"})  # control, format (zero-width) and lone surrogates


def decode(data: bytes) -> str:
    """Decode a file as desks send them: UTF-8, UTF-16 with a byte order mark, else Windows-1252.

    Examples
    --------
    >>> decode("sûreté".encode("cp1252")), decode("sûreté".encode("utf-8-sig"))
    ('sûreté', 'sûreté')
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def normalise(text: str) -> str:
    """Put a text in normal form: no entities, NFC, plain single spaces, nothing invisible.

    Apostrophes and quotation marks stay as they are. Normalising twice changes nothing.

    Examples
    --------
    >>> normalise("  s&ucirc;rete\u0301\u00a0:  l&rsquo;ordre\u200b ")
    'sûreté : l’ordre'
    """
    while (clean := _once(text)) != text:  # "&amp;lt;" needs two rounds
        text = clean
    return text


def _once(text: str) -> str:
    if "&" in text:
        text = html.unescape(text)
    if not text.isprintable():  # true of every kind of character dropped here
        text = "".join(char for char in text if char.isspace() or unicodedata.category(char) not in _DROPPED)
    return " ".join(unicodedata.normalize("NFC", text).split())
