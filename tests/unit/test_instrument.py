"""Instruments are TOML files; what is wrong in one is named."""

import pytest

from processing import instrument
from skyledger.errors import ConfigurationError


def text():
    return (instrument.FOLDER / "simulated.toml").read_text(encoding="utf-8")


def test_shipped_instruments_load():
    assert instrument.known() == ["saao", "sdss", "simulated"]
    for name in instrument.known():
        assert instrument.load(name).name == name
    bands = {f.band for f in instrument.load("simulated").filters.values()}
    assert bands == set("ugrizy")


def test_unknown_instrument_names_those_that_exist():
    with pytest.raises(
        ConfigurationError, match="no instrument 'hst'; there are saao, sdss, simulated"
    ):
        instrument.load("hst")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('band = "u"', 'band = "U"', "SIM-u"),
        ("height = 2663.0", 'height = "high"', "height"),
        ("height = 2663.0", "", "height"),
        ("height = 2663.0", "height = 2663.0\ncolour = 1", "colour"),
        ('keyword = "SEASON"', "", "until"),
        ('keyword = "SEASON"', 'since = "2025-01-01"\nkeyword = "SEASON"', "`since` needs"),
        ("[site]", "[site", "not a valid instrument"),
        ('name = "simulated"', 'name = "simulated"\nreader = "nothere"', r"nothere\.py"),
    ],
)
def test_mistakes_are_named(old, new, said):
    assert old in text()
    with pytest.raises(ConfigurationError, match=said) as caught:
        instrument.parse(text().replace(old, new, 1), "mine.toml")
    assert "mine.toml" in str(caught.value)


def test_defects_and_template_date():
    changed = text().replace('keyword = "SEASON"\nvalue = 0', 'until = "2026-01-01T00:00:00"')
    changed += "\n[[defects]]\ndetector = 0\nx = [3, 4]\ny = [0, 99]\n"
    camera = instrument.parse(changed, "mine.toml")
    assert camera.defects[0].x == (3, 4)
    assert not camera.template.lasts_at(61041.0)  # 2026-01-01
    assert camera.template.lasts_at(61040.999)
    changed = changed.replace("until =", 'since = "2025-12-31T00:00:00"\nuntil =')
    season = instrument.parse(changed, "mine.toml").template
    assert [season.lasts_at(mjd) for mjd in (61039.9, 61040.1, 61041.1)] == [False, True, False]
