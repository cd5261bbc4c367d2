from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from deblur_cli.imaging.xmp import describe_upright, without_thumbnails

ATTRIBUTES = (
    b'<rdf:Description tiff:Orientation="6" tiff:ImageWidth="400" tiff:ImageLength="300"'
    b" exif:PixelXDimension = '400' exif:PixelYDimension='300' dc:title=\"tiff:Orientation\"/>"
)
ELEMENTS = (
    b"<tiff:Orientation>8</tiff:Orientation><exif:PixelXDimension>400</exif:PixelXDimension>"
    b"<exif:PixelYDimension> 300</exif:PixelYDimension><xmp:Rating>3</xmp:Rating>"
)
THUMBNAILS = (
    b"<xmp:Thumbnails>\n <rdf:Alt><rdf:li xmpGImg:width='256'>"
    b"<xmpGImg:image>/9j/4AAQ</xmpGImg:image></rdf:li></rdf:Alt>\n</xmp:Thumbnails>\n"
)


def test_attributes_describe_the_upright_picture():
    assert describe_upright(ATTRIBUTES, 300, 400) == (
        b'<rdf:Description tiff:Orientation="1" tiff:ImageWidth="300" tiff:ImageLength="400"'
        b" exif:PixelXDimension = '300' exif:PixelYDimension='400' dc:title=\"tiff:Orientation\"/>"
    )


def test_elements_describe_the_upright_picture():
    assert describe_upright(ELEMENTS, 300, 400) == (
        b"<tiff:Orientation>1</tiff:Orientation><exif:PixelXDimension>300</exif:PixelXDimension>"
        b"<exif:PixelYDimension> 400</exif:PixelYDimension><xmp:Rating>3</xmp:Rating>"
    )


@pytest.mark.parametrize("prefix", [b"xmp", b"xap"])
def test_thumbnails_go_and_all_else_stays(prefix):
    thumbnails = THUMBNAILS.replace(b"xmp:", prefix + b":")
    assert (
        without_thumbnails(b"<a>" + thumbnails + b"<b/>" + thumbnails + b"</a>") == b"<a><b/></a>"
    )


def test_an_empty_list_of_thumbnails_ends_where_it_ends():
    packet = b"<xmp:Thumbnails rdf:x='y'/><xmp:Label>Thumbnails</xmp:Label>" + THUMBNAILS
    assert without_thumbnails(packet) == b"<xmp:Label>Thumbnails</xmp:Label>"


def test_the_packet_stays_well_formed():
    names = "xmlns:xmp='x' xmlns:rdf='r' xmlns:xmpGImg='g' xmlns:tiff='t' xmlns:exif='e'"
    packet = f"<top {names}>".encode() + ELEMENTS + THUMBNAILS + b"</top>"
    tree = ET.fromstring(without_thumbnails(describe_upright(packet, 1, 2)))
    assert [child.tag for child in tree] == [
        "{t}Orientation",
        "{e}PixelXDimension",
        "{e}PixelYDimension",
        "{x}Rating",
    ]


@pytest.mark.parametrize("packet", [b"", b"\xff\xfe<\0?\0", b"<xmp:Thumbnails>never closed"])
def test_what_is_not_understood_stays(packet):
    assert without_thumbnails(describe_upright(packet, 1, 2)) == packet
