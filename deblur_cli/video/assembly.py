"""The finished file: restored pictures from their segments, every other stream as it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from fractions import Fraction
from heapq import merge
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deblur_cli.errors import VideoWriteError
from deblur_cli.video.clip import Clip
from deblur_cli.video.colour import has_alpha
from deblur_cli.video.containers import (
    TIMECODE,
    Container,
    library,
    open_input,
    packets_of,
    reason,
)
from deblur_cli.video.encoding import Encoding, set_colours
from deblur_cli.video.reader import FARTHEST_BACK, Selection
from deblur_cli.video.segments import Segment, packets_in
from deblur_cli.video.sequences import FIRST, PictureSequence
from deblur_cli.video.streams import StreamPlan

if TYPE_CHECKING:
    import av

_OF_THE_FILE = {"major_brand", "minor_version", "compatible_brands", "encoder"}
_OF_THE_OLD_PICTURES = {
    *("encoder", "vendor_id", "bps", "duration", "number_of_frames", "number_of_bytes"),
    *("_statistics_tags", "_statistics_writing_app", "_statistics_writing_date_utc"),
}
_TAGS_OF_QUICKTIME = {"hevc": "hvc1"}


@dataclass(frozen=True)
class Assembly:
    """Everything that goes into a finished file.

    Args:
        clip: the source.
        container: the kind of file.
        encoding: of the segments.
        segments: each with its file, in order.
        selection: the part of the clip that they show; other streams are cut to it.
        streams: those that are copied.
        first_number: of the pictures of an image sequence.
    """

    clip: Clip
    container: Container
    encoding: Encoding
    segments: Sequence[tuple[Path, Segment]]
    selection: Selection
    streams: StreamPlan
    first_number: int = FIRST

    def write(self, path: Path) -> int:
        """Write the file, or the pictures of a sequence into a folder that is there.

        Returns:
            The restored stream's number in it.

        Raises:
            VideoReadError: the source or a segment cannot be read.
            VideoWriteError: the file cannot be written.
        """
        av = library()
        first, _ = self.segments[0]
        try:
            with (
                nullcontext() if self.clip.is_stream else self.clip.open() as source,
                open_input(first) as pictures,
                self._open_result(path, source) as result,
            ):
                made = self._add_streams(source, pictures, result)
                if source is not None:
                    result.metadata.update(self._kept(source.metadata, _OF_THE_FILE))
                    if not self._is_part:
                        result.set_chapters(source.chapters())
                self._mux(source, made, result)
                return int(made[self.clip.index].index)
        except (av.FFmpegError, ValueError) as error:
            raise VideoWriteError(
                f"the streams cannot be put together: {reason(error)}",
                path=path,
                remedy="let the output end in .mkv, which takes most streams",
            ) from error

    def lost_metadata(self, path: Path) -> tuple[str, ...]:
        """A warning that names what the finished file does not say any more."""
        if self.clip.is_stream or self.container.is_sequence:
            return ()
        with self.clip.open() as source, open_input(path) as result:
            told = [result.metadata, *(stream.metadata for stream in result.streams)]
            kept = {name.lower() for metadata in told for name in metadata}
            wanted = list(_without(source.metadata, _OF_THE_FILE))
            own = source.streams[self.clip.index].metadata
            wanted += [name for name in own if name.lower() == TIMECODE]
            lost = ", ".join(name for name in wanted if name.lower() not in kept)
        return (f"metadata left out: {self.container.title} do not take {lost}",) if lost else ()

    def _open_result(
        self, path: Path, source: av.container.InputContainer | None
    ) -> av.container.OutputContainer:
        av = library()
        if self.container.is_sequence:
            options = {"start_number": str(self.first_number)}
            url = PictureSequence(path).url
            return av.open(url, "w", format=self.container.muxer, container_options=options)
        return av.open(
            f"file:{path}",
            "w",
            format=self.container.muxer,
            container_options={} if source is None else self._muxer_options(source),
        )

    def _kept(self, metadata: dict[str, str], old: set[str]) -> dict[str, str]:
        """Metadata but for what is out of date, and what would become a stream without a rate."""
        return _without(metadata, old | {TIMECODE} if self.container.is_quicktime else old)

    @property
    def _is_part(self) -> bool:
        return (self.selection.start, self.selection.end) != (0.0, None)

    def _muxer_options(self, source: av.container.InputContainer) -> dict[str, str]:
        """QuickTime files of phones tell place and time under long names, else dropped."""
        has_long_names = any(name.startswith("com.") for name in source.metadata)
        if has_long_names and self.container.is_quicktime:
            return {"movflags": "use_metadata_tags"}
        return {}

    def _add_streams(
        self,
        source: av.container.InputContainer | None,
        pictures: av.container.InputContainer,
        result: av.container.OutputContainer,
    ) -> dict[int, Any]:
        """Streams of the result by their numbers in the source."""
        added: dict[int, Any] = {}
        if source is None:
            return {self.clip.index: self._add_pictures(pictures.streams.video[0], result)}
        for stream in source.streams:
            if stream.index == self.clip.index:
                made = self._add_pictures(pictures.streams.video[0], result)
                made.metadata.update(self._kept(stream.metadata, _OF_THE_OLD_PICTURES))
                if has_alpha(self.encoding.pix_fmt) and self.encoding.encoder == "libvpx-vp9":
                    made.metadata["alpha_mode"] = "1"
            elif stream.index in self.streams.copied:
                made = result.add_stream_from_template(stream, opaque=True)
                made.metadata.update(self._kept(stream.metadata, set()))
            else:
                continue
            made.disposition = stream.disposition
            added[stream.index] = made
        return added

    def _add_pictures(self, template: Any, result: av.container.OutputContainer) -> Any:
        clip = self.clip
        made = result.add_stream_from_template(template, opaque=True)
        made.time_base = clip.time_base
        context = made.codec_context
        set_colours(context, clip, self.encoding)
        if clip.aspect is not None:
            context.sample_aspect_ratio = clip.aspect
        if self.container.is_quicktime and (tag := _tag_of(template.codec_context)):
            context.codec_tag = tag
        if clip.display_matrix is not None:
            made.set_display_matrix(clip.display_matrix)
        return made

    def _mux(
        self,
        source: av.container.InputContainer | None,
        made: dict[int, Any],
        result: av.container.OutputContainer,
    ) -> None:
        """Packets of all streams in the order of their times."""
        restored = made[self.clip.index]
        others = [source.streams[index] for index in sorted(self.streams.copied)] if source else []
        packets = merge(
            self._restored_packets(restored), self._copied_packets(source, others), key=_time
        )
        for packet in packets:
            if packet.stream is not restored:
                packet.stream = made[packet.stream_index]
            result.mux(packet)

    def _copied_packets(
        self, source: av.container.InputContainer | None, streams: Sequence[Any]
    ) -> Iterator[av.packet.Packet]:
        """Packets of the part that is shown; the reader of the frames has told of damage."""
        if source is None or not streams:
            return
        packets = packets_of(source, streams, note=lambda problem: None)
        for packet in _before_jumps(packets):
            if _is_empty(packet) or not self._is_in_part(_time(packet) - self.clip.epoch):
                continue
            shift = round(self._beginning / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts - shift
            packet.dts = None if packet.dts is None else packet.dts - shift
            yield packet

    @property
    def _beginning(self) -> Fraction:
        """What becomes 0 in the result, in seconds: 0, unless a part or a broadcast begins then."""
        return Fraction(self.selection.start) + self.clip.epoch

    def _is_in_part(self, seconds: Fraction) -> bool:
        start, end = self.selection.start, self.selection.end
        return (not start or seconds >= start) and (end is None or seconds < end)

    def _restored_packets(self, stream: Any) -> Iterator[av.packet.Packet]:
        """Packets of all segments, with the timestamps of their frames.

        The decoding times are the frames' own, in order, as many places later as the encoder
        changes their order.
        """
        clip = self.clip
        delay = max(segment.reordered for _, segment in self.segments)
        shift = round(self._beginning / clip.time_base)
        shown = [pts - shift for _, segment in self.segments for pts in segment.pts]
        step = shown[1] - shown[0] if len(shown) > 1 else clip.tick
        decoded = [shown[0] - step * early for early in range(delay, 0, -1)] + shown
        place = 0
        for path, segment in self.segments:
            first = place
            for number, packet in packets_in(path):
                packet.stream = stream
                packet.time_base = clip.time_base
                packet.pts = shown[first + number]
                packet.dts = decoded[place]
                packet.duration = self._duration(shown, first + number, segment.durations[number])
                place += 1
                yield packet

    def _duration(self, shown: Sequence[int], place: int, own: int) -> int:
        return own if place + 1 == len(shown) else shown[place + 1] - shown[place]


def _tag_of(context: Any) -> str:
    """By which QuickTime knows a codec, where it is not the muxer's choice."""
    codec = context.codec.canonical_name
    return str(context.codec_tag) if codec == "prores" else _TAGS_OF_QUICKTIME.get(codec, "")


def _before_jumps(packets: Iterator[av.packet.Packet]) -> Iterator[av.packet.Packet]:
    """Those of each stream until its clock jumps back, behind which frames are left out as well."""
    latest: dict[int, Fraction] = {}
    ended: set[int] = set()
    for packet in packets:
        index, time = packet.stream_index, _time(packet)
        if latest.get(index, time) - time > FARTHEST_BACK:
            ended.add(index)
        if index not in ended:
            latest[index] = time
            yield packet


def _is_empty(packet: av.packet.Packet) -> bool:
    """Whether it only marks the end of a stream."""
    return packet.dts is None and not packet.size


def _time(packet: av.packet.Packet) -> Fraction:
    """When its turn comes, in seconds; covers have no time and come first."""
    stamp = packet.pts if packet.dts is None else packet.dts
    return Fraction(0 if stamp is None else stamp * packet.time_base)


def _without(metadata: dict[str, str], names: set[str]) -> dict[str, str]:
    return {name: text for name, text in metadata.items() if name.lower() not in names}
