"""The finished file: restored pictures from their segments, every other stream as it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from heapq import merge
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deblur_cli.errors import VideoWriteError
from deblur_cli.video.clip import Clip
from deblur_cli.video.colour import has_alpha
from deblur_cli.video.containers import Container, library, open_input, reason
from deblur_cli.video.encoding import Encoding, set_colours
from deblur_cli.video.reader import Selection
from deblur_cli.video.segments import Segment, packets_in

if TYPE_CHECKING:
    import av

_OF_THE_FILE = {"major_brand", "minor_version", "compatible_brands", "encoder"}
_OF_THE_OLD_PICTURES = {
    *("encoder", "vendor_id", "bps", "duration", "number_of_frames", "number_of_bytes"),
    *("_statistics_tags", "_statistics_writing_app", "_statistics_writing_date_utc"),
}
_TAGS_OF_QUICKTIME = {"hevc": "hvc1"}
_IN_QUICKTIME = ("mp4", "mov")


@dataclass(frozen=True)
class Assembly:
    """Everything that goes into a finished file.

    Args:
        clip: the source.
        container: the kind of file.
        encoding: of the segments.
        segments: each with its file, in order.
        selection: the part of the clip that they show; other streams are cut to it.
    """

    clip: Clip
    container: Container
    encoding: Encoding
    segments: Sequence[tuple[Path, Segment]]
    selection: Selection

    def write(self, path: Path) -> tuple[int, tuple[str, ...]]:
        """Write the file.

        Returns:
            The restored stream's number in it, and warnings that name what is left behind.

        Raises:
            VideoReadError: the source or a segment cannot be read.
            VideoWriteError: the file cannot be written.
        """
        av = library()
        first, _ = self.segments[0]
        try:
            with (
                open_input(self.clip.path) as source,
                open_input(first) as pictures,
                av.open(
                    f"file:{path}",
                    "w",
                    format=self.container.muxer,
                    container_options=self._muxer_options(source),
                ) as result,
            ):
                copied, warnings = self._add_streams(source, pictures, result)
                result.metadata.update(_without(source.metadata, _OF_THE_FILE))
                if not self._is_part:
                    result.set_chapters(source.chapters())
                restored = copied[self.clip.index]
                self._mux(source, copied, restored, result)
                return restored.index, warnings
        except (av.FFmpegError, ValueError) as error:
            raise VideoWriteError(
                f"the streams cannot be put together: {reason(error)}",
                path=path,
                remedy="let the output end in .mkv, which takes most streams",
            ) from error

    @property
    def _is_part(self) -> bool:
        return (self.selection.start, self.selection.end) != (0.0, None)

    def _muxer_options(self, source: av.container.InputContainer) -> dict[str, str]:
        """QuickTime files of phones tell place and time under long names, else dropped."""
        has_long_names = any(name.startswith("com.") for name in source.metadata)
        if has_long_names and self.container.muxer in _IN_QUICKTIME:
            return {"movflags": "use_metadata_tags"}
        return {}

    def _add_streams(
        self,
        source: av.container.InputContainer,
        pictures: av.container.InputContainer,
        result: av.container.OutputContainer,
    ) -> tuple[dict[int, Any], tuple[str, ...]]:
        """Streams of the result by their numbers in the source, and who is left behind."""
        added: dict[int, Any] = {}
        warnings = []
        for stream in source.streams:
            if stream.index == self.clip.index:
                made = self._add_pictures(pictures.streams.video[0], result)
                made.metadata.update(_without(stream.metadata, _OF_THE_OLD_PICTURES))
                if has_alpha(self.encoding.pix_fmt) and self.encoding.encoder == "libvpx-vp9":
                    made.metadata["alpha_mode"] = "1"
            elif stream.discard == library().stream.Discard.all:
                continue  # the text of chapters, which are copied as such
            elif self.container.takes_stream(stream):
                made = result.add_stream_from_template(stream, opaque=True)
                made.metadata.update(stream.metadata)
            else:
                warnings.append(
                    f"stream {stream.index} ({_title(stream)}) is left out: "
                    f"{self.container.muxer} files do not take it"
                )
                continue
            made.disposition = stream.disposition
            added[stream.index] = made
        return added, tuple(warnings)

    def _add_pictures(self, template: Any, result: av.container.OutputContainer) -> Any:
        clip = self.clip
        made = result.add_stream_from_template(template, opaque=True)
        made.time_base = clip.time_base
        context = made.codec_context
        set_colours(context, clip, self.encoding)
        if clip.aspect is not None:
            context.sample_aspect_ratio = clip.aspect
        if self.container.muxer in _IN_QUICKTIME:
            with suppress(KeyError):
                context.codec_tag = _TAGS_OF_QUICKTIME[template.codec_context.codec.canonical_name]
        if clip.display_matrix is not None:
            made.set_display_matrix(clip.display_matrix)
        return made

    def _mux(
        self,
        source: av.container.InputContainer,
        copied: dict[int, Any],
        restored: Any,
        result: av.container.OutputContainer,
    ) -> None:
        """Packets of all streams in the order of their times."""
        others = [
            stream
            for stream in source.streams
            if stream.index in copied and stream.index != self.clip.index
        ]
        packets = merge(
            self._restored_packets(restored), self._copied_packets(source, others), key=_time
        )
        for packet in packets:
            if packet.stream is not restored:
                packet.stream = copied[packet.stream_index]
            result.mux(packet)

    def _copied_packets(
        self, source: av.container.InputContainer, streams: Sequence[Any]
    ) -> Iterator[av.packet.Packet]:
        """Packets of the part that is shown, with its beginning at 0 if one is cut off."""
        av = library()
        if not streams:
            return
        with suppress(av.FFmpegError):  # what cannot be read, the reader of the frames has told of
            for packet in source.demux(streams):
                if _is_empty(packet) or not self._is_in_part(_time(packet)):
                    continue
                shift = round(Fraction(self.selection.start) / packet.time_base)
                packet.pts = None if packet.pts is None else packet.pts - shift
                packet.dts = None if packet.dts is None else packet.dts - shift
                yield packet

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
        shift = round(Fraction(self.selection.start) / clip.time_base)
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


def _is_empty(packet: av.packet.Packet) -> bool:
    """Whether it only marks the end of a stream."""
    return packet.dts is None and not packet.size


def _time(packet: av.packet.Packet) -> Fraction:
    """When its turn comes, in seconds; covers have no time and come first."""
    stamp = packet.pts if packet.dts is None else packet.dts
    return Fraction(0 if stamp is None else stamp * packet.time_base)


def _without(metadata: dict[str, str], names: set[str]) -> dict[str, str]:
    return {name: text for name, text in metadata.items() if name.lower() not in names}


def _title(stream: av.stream.Stream) -> str:
    codec = stream.codec_context.name if stream.codec_context is not None else stream.name
    return " ".join(part for part in (stream.type, codec, stream.language) if part)
