"""From a file or stream to a table: limits of bytes, decompression, recognition of the format.

The content says what a file is; the media type decides only what the content leaves open, which
is the separator and the encoding of a text.
"""

import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

from services.uploads.fits import read_fits
from services.uploads.parquet import read_parquet
from services.uploads.table import Builder, Limits, Uploaded, shown
from services.uploads.text import read_text
from services.uploads.votable import read_votable

_PIECE = 1 << 20
_GZIP = b"\x1f\x8b"
# Beginnings of files that are often sent by mistake, and what to do.
_OTHERS = {
    b"PK\x03\x04": "a ZIP archive or a spreadsheet; send the table itself, or save it as CSV",
    b"BZh": "compressed by bzip2; decompress it, or use gzip",
    b"\xfd7zXZ\x00": "compressed by xz; decompress it, or use gzip",
    b"\x28\xb5\x2f\xfd": "compressed by zstd; decompress it, or use gzip",
    b"%PDF": "a PDF; save the table as CSV",
    b"\x89PNG": "a picture; send a table",
    b"\x89HDF": "an HDF5 file; write it as Parquet",
    b"{": "JSON; send a VOTable, CSV, FITS or Parquet file",
    b"[": "JSON; send a VOTable, CSV, FITS or Parquet file",
}
_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def read(
    source: BinaryIO | Path | str,
    name: str,
    limits: Limits | None = None,
    *,
    media_type: str | None = None,
) -> Uploaded:
    """Read an uploaded table in any of the formats.

    Parameters
    ----------
    source
        Path, or a stream open at its first byte; it need not be seekable.
    name
        What the upload is called in messages.
    limits
        How large it may be; by default those of :class:`Limits`.
    media_type
        Value of ``Content-Type``, if one was sent: it gives the separator (``text/csv``,
        ``text/tab-separated-values``) and the ``charset`` of a text.

    Returns
    -------
    Uploaded
        Columns with their metadata, and all values in memory.

    Raises
    ------
    UploadRefusedError
        If the file is not a table in a known format, is damaged or hostile, or passes a limit.
    OSError
        If a path cannot be opened.
    """
    builder = Builder(name, limits or Limits())
    if isinstance(source, str | Path):
        with Path(source).open("rb") as opened:
            return read(opened, name, limits, media_type=media_type)
    with _spooled(_limited(source, builder)) as sent:
        if sent.read(2) != _GZIP:
            return _read(sent, builder, media_type)
        with _spooled(_expanded(sent, builder)) as file:
            if file.read(2) == _GZIP:
                raise builder.refuse("it is compressed twice; compress it once, or not at all")
            return _read(file, builder, media_type)


def _limited(source: BinaryIO, builder: Builder) -> Iterator[bytes]:
    size = 0
    while piece := source.read(_PIECE):
        size += len(piece)
        if size > builder.limits.sent:
            raise builder.refuse(
                f"the file is larger than {builder.limits.sent} bytes, which is the limit; send it "
                f"in parts, as Parquet, or compressed by gzip"
            )
        yield piece


def _expanded(sent: IO[bytes], builder: Builder) -> Iterator[bytes]:
    """Decompress gzip, all members, never more than a piece at a time."""
    sent.seek(0)
    size = 0
    engine: Any = zlib.decompressobj(wbits=31)
    waiting = b""
    try:
        while True:
            waiting = engine.unconsumed_tail or waiting or sent.read(_PIECE)
            if engine.eof:
                rest = (engine.unused_data or sent.read(_PIECE)).lstrip(b"\0")
                if not rest:
                    return
                engine, waiting = zlib.decompressobj(wbits=31), rest
            elif not waiting:
                raise builder.refuse("the gzip stream was cut off; send it again")
            piece = engine.decompress(waiting, _PIECE)
            waiting = b""
            size += len(piece)
            if size > builder.limits.expanded:
                raise builder.refuse(
                    f"it expands to more than {builder.limits.expanded} bytes, which is the limit; "
                    f"send it in parts"
                )
            if piece:
                yield piece
    except zlib.error as error:
        raise builder.refuse(f"the gzip stream is damaged ({error}); send it again") from None


@contextmanager
def _spooled(pieces: Iterator[bytes]) -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as file:
        for piece in pieces:
            file.write(piece)
        file.seek(0)
        yield file


def _read(file: IO[bytes], builder: Builder, media_type: str | None) -> Uploaded:
    file.seek(0)
    begin = file.read(4096)
    file.seek(0)
    kind, _, parameters = (media_type or "").lower().partition(";")
    kind = kind.strip()
    charset = parameters.partition("charset=")[2].partition(";")[0].strip(" \"'")
    opened: Any = file
    if not begin:
        raise builder.refuse("the file is empty; send a table with a line or header of names")
    if begin.startswith(b"SIMPLE  ="):
        read_fits(opened, builder)
        return builder.done("fits")
    if begin.startswith(b"PAR1"):
        read_parquet(opened, builder)
        return builder.done("parquet")
    for bom, codec in _BOMS.items():
        if begin.startswith(bom):
            charset = codec
    try:
        text = begin.decode(charset or "utf-8", errors="replace").lstrip().lower()
    except LookupError:
        raise builder.refuse(f"there is no encoding {shown(charset)}; send UTF-8") from None
    if text.startswith(("<html", "<!doctype html")):
        raise builder.refuse(
            "it is an HTML page, not a table (an error page or a login?); open the address it came "
            "from, and send the table"
        )
    if text.startswith("<"):
        read_votable(opened, builder)
        return builder.done("votable")
    for magic, what in _OTHERS.items():
        if begin.lstrip().startswith(magic):
            raise builder.refuse(f"it is {what}")
    if "\0" in text or any(word in kind for word in ("votable", "fits", "parquet", "xml")):
        raise builder.refuse(
            f"it begins with {shown(text[:40])}, which is no VOTable, FITS, Parquet, CSV or TSV"
            + (f", though it was sent as {shown(kind)}" if kind else "")
            + "; write the file again"
        )
    delimiter = {"text/csv": ",", "text/tab-separated-values": "\t"}.get(kind)
    return builder.done(read_text(opened, builder, charset or "utf-8", delimiter))
