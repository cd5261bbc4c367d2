from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from deblur_cli.errors import VideoReadError
from deblur_cli.video.clip import probe
from deblur_cli.video.h273 import Colours
from tests.shared import shared_file
from tests.video.clips import Recipe, write_clip
from tests.video.interlaced import write_interlaced

ROTATED = (0, 65536, 0, -65536, 0, 0, 0, 0, 1073741824)


def test_facts_of_a_clip(tmp_path: Path) -> None:
    recipe = Recipe(
        frames=25,
        rate=Fraction(30000, 1001),
        colours=(1, 1, 1, 2),
        aspect=Fraction(4, 3),
        display_matrix=ROTATED,
    )
    clip = probe(write_clip(tmp_path / "in.mp4", recipe))
    assert (clip.codec, clip.width, clip.height, clip.pix_fmt) == ("h264", 64, 48, "yuvj420p")
    assert clip.rate == Fraction(30000, 1001)
    assert clip.frames == 25
    assert clip.end == pytest.approx(25 * 1.001 / 30, abs=1e-3)
    assert clip.aspect == Fraction(4, 3)
    assert clip.colours == Colours(primaries=1, transfer=1, matrix=1, range=2)
    assert clip.display_matrix == ROTATED
    assert clip.tick * clip.time_base == Fraction(1001, 30000)


def test_end_of_a_matroska_file(tmp_path: Path) -> None:
    clip = probe(write_clip(tmp_path / "in.mkv", Recipe(frames=25, sounds=1)))
    assert clip.end == pytest.approx(1.0)


def test_colons_in_a_name_are_no_protocol(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4")
    odd = source.rename(tmp_path / "http:in.mp4")
    assert probe(odd).frames == 12


def test_hidden_transparency_is_seen(tmp_path: Path) -> None:
    recipe = Recipe(codec="libvpx-vp9", pix_fmt="yuva420p")
    clip = probe(write_clip(tmp_path / "in.webm", recipe))
    assert (clip.pix_fmt, clip.decoder) == ("yuva420p", "libvpx-vp9")


def test_interlaced_video_is_refused_unless_wanted(tmp_path: Path) -> None:
    source = write_interlaced(tmp_path / "in.mp4")
    with pytest.raises(VideoReadError, match="--deinterlace"):
        probe(source)
    assert probe(source, deinterlace=True).frames == 12


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", Recipe(sounds=1))
    import av

    with av.open(str(source)) as file, av.open(str(tmp_path / "sound.mp4"), "w") as sound:
        made = sound.add_stream_from_template(file.streams.audio[0])
        for packet in file.demux(file.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = made
                sound.mux(packet)
    with pytest.raises(VideoReadError, match="no video stream"):
        probe(tmp_path / "sound.mp4")


@pytest.mark.parametrize("content", [b"", b"no video", bytes(5000)])
def test_other_files_are_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "in.mp4").write_bytes(content)
    with pytest.raises(VideoReadError, match=r"in\.mp4: "):
        probe(tmp_path / "in.mp4")


def test_default_stream_is_chosen() -> None:
    clip = probe(shared_file("video", "nasa_13013.mp4"))
    assert (clip.index, clip.width, clip.height) == (0, 320, 180)
