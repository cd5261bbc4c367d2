"""Frames of one moment from frames whose even and odd lines show two."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from deblur_cli.video.containers import library

if TYPE_CHECKING:
    import av


def deinterlaced(
    pictures: Iterator[av.video.frame.VideoFrame], stream: av.video.stream.VideoStream
) -> Iterator[av.video.frame.VideoFrame]:
    """One progressive frame for each frame, by bwdif; those that are progressive stay as they are.

    Args:
        pictures: decoded frames.
        stream: where they come from.
    """
    av = library()
    graph = av.filter.Graph()
    graph.link_nodes(
        graph.add_buffer(template=stream),
        graph.add("bwdif", "mode=send_frame:deint=interlaced"),
        graph.add("buffersink"),
    ).configure()
    for picture in pictures:
        graph.vpush(picture)
        yield from _ready(graph)
    graph.vpush(None)
    yield from _ready(graph)


def _ready(graph: av.filter.Graph) -> Iterator[av.video.frame.VideoFrame]:
    av = library()
    while True:
        try:
            yield graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return
