"""Where processed images are kept: below ``$SKYLEDGER_HOME/products``; rows hold relative paths."""

from pathlib import Path

from skyledger import settings


def root() -> Path:
    """Folder of all processed images."""
    return settings.read().home / "products"


def for_writing(path: str) -> Path:
    """Absolute path of a product, its folder made if need be."""
    absolute = root() / path
    absolute.parent.mkdir(parents=True, exist_ok=True)
    return absolute


def pvi_path(instrument: str, visit_id: int, ccd_visit_id: int) -> str:
    """Path of a processed visit image, relative to :func:`root`."""
    return f"{instrument}/{visit_id}/{ccd_visit_id}-pvi.fits"


def difference_path(instrument: str, visit_id: int, ccd_visit_id: int) -> str:
    """Path of a difference image, relative to :func:`root`."""
    return f"{instrument}/{visit_id}/{ccd_visit_id}-difference.fits"


def source_path(instrument: str, visit_id: int, ccd_visit_id: int) -> str:
    """Path of the Sources of a processed visit image, relative to :func:`root`."""
    return f"{instrument}/{visit_id}/{ccd_visit_id}-sources.parquet"


def template_path(instrument: str, template_id: int) -> str:
    """Path of a template, relative to :func:`root`."""
    return f"{instrument}/templates/{template_id}.fits"


def master_path(instrument: str, detector: int, version: int) -> str:
    """Path of the master calibration frames of a detector, relative to :func:`root`."""
    return f"{instrument}/masters/{detector}-v{version}.fits"
