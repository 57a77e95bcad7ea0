"""MIDI bytes that a strict reader takes, made of those that programs and cut downloads leave.

A MIDI file within a RIFF file, a header longer than six bytes, chunks that
are no tracks, wrong lengths and tracks without an end are mended; all else
is refused in one sentence that says why.
"""

from struct import Struct

from musiclab.errors import MidiError

HEADER = Struct(">4sIHHH")  # name, length, kind, number of tracks, ticks a quarter
CHUNK = Struct(">4sI")  # name, length
END_OF_TRACK = b"\xff\x2f\0"


def mend(data):
    """Return (header, tracks, how many bytes are missing) of the bytes of a MIDI file.

    header: bytes (14,)
    tracks: a list of bytes, each as far as the time of its end, so that events can follow

    Raises MidiError when the bytes are no MIDI file of type 0 or 1.
    """
    start = max(data.find(b"MThd", 0, 64), 0)
    header = data[start : start + HEADER.size]
    # Of a header that is too short, what is missing reads as 0.
    name, length, kind, n_tracks, division = HEADER.unpack(header.ljust(HEADER.size, b"\0"))
    if name != b"MThd":
        raise unreadable("no empieza por «MThd»" if data else "está vacío")
    if len(header) < HEADER.size or length < 6 or division == 0:
        raise unreadable("su cabecera está dañada o dice 0 tics por negra")
    if kind > 1:
        raise unreadable(f"es de tipo {kind} y solo se leen los tipos 0 y 1")
    tracks, n_missing = _tracks(data, start + CHUNK.size + length, n_tracks)
    if not tracks:
        raise unreadable(f"anuncia {n_tracks} pistas y no hay ninguna")
    return HEADER.pack(name, 6, kind, len(tracks), division), tracks, n_missing


def _tracks(data, start, n_tracks):
    """Return (tracks, how many bytes the last one lacks)."""
    tracks, n_missing, n_bytes = [], 0, len(data)
    data += b"MTrk"  # so that a name follows each chunk
    while start + CHUNK.size <= n_bytes and len(tracks) < n_tracks:
        name, length = CHUNK.unpack_from(data, start)
        first = start + CHUNK.size
        start = first + length
        # Where no name follows, the length is wrong.
        if start > n_bytes or not data[start : start + 4].isalpha():
            start = data.index(b"MTrk", first)
        if name == b"MTrk":
            content = data[first:start]
            until_end, has_end, _ = content.rpartition(END_OF_TRACK)
            # A track that has its end lacks nothing, whatever its length says.
            n_missing = 0 if has_end else max(length - len(content), 0)
            tracks.append(until_end if has_end else content + b"\0")
    return tracks, n_missing


def unreadable(what):
    """Return the MidiError of bytes that nobody can read."""
    return MidiError(f"no es un MIDI legible ({what}); vuelve a exportarlo o quítalo")


def joined(header, tracks):
    """Return the bytes of a MIDI file, of what `mend` gives."""
    # Three bytes are the end of track.
    chunks = [CHUNK.pack(b"MTrk", len(track) + 3) + track + END_OF_TRACK for track in tracks]
    return header + b"".join(chunks)
