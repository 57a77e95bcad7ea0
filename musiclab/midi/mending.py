"""MIDI bytes that a strict reader takes, made of those that programs and cut downloads leave.

A MIDI file within a RIFF file, a header longer than six bytes, chunks that
are no tracks, wrong lengths and tracks without an end are mended; all else
is refused in one sentence that says why.
"""

from struct import Struct

from musiclab.errors import MidiError

HEADER = Struct(">4sIHHH")  # name, length, kind, number of tracks, ticks a quarter
CHUNK = Struct(">4sI")  # name, length
END = b"\xff\x2f"
END_OF_TRACK = END + b"\0"
N_CHANNELS, N_PITCHES = 16, 128


def mend(data):
    """Return (header, tracks, how many bytes are missing) of the bytes of a MIDI file.

    header: its kind, 0 or 1, and its ticks a quarter
    tracks: their contents, as a list of bytes, some without an end

    Raises MidiError when the bytes are no MIDI file of type 0 or 1.
    """
    start = max(data.find(b"MThd", 0, 64), 0) if data.startswith(b"RIFF") else 0
    length, kind, n_tracks, division = _header(data[start:])
    position = start + CHUNK.size + length
    tracks, n_missing = [], 0
    while position + CHUNK.size <= len(data) and len(tracks) < n_tracks:
        name, length = CHUNK.unpack_from(data, position)
        begin = position + CHUNK.size
        position = begin + length
        # A wrong length leads beyond the file, or to something that is no chunk; what follows
        # the end of the last track may be anything.
        is_last = len(tracks) + 1 == n_tracks and data[begin:position].endswith(END_OF_TRACK)
        at_chunk = data[position : position + 4].isalpha()
        strange = position < len(data) and not at_chunk and not is_last
        if position > len(data) or strange:
            following = data.find(b"MTrk", begin)
            if following < 0:
                is_whole = data.rstrip(b"\0").endswith(END)  # then only its length is wrong
                n_missing += 0 if is_whole else max(position - len(data), 0)
                following = len(data)
            position = following
        if name == b"MTrk":
            tracks.append(data[begin:position])
    if not tracks:
        raise unreadable(f"anuncia {n_tracks} pistas y no hay ninguna")
    return (kind, division), tracks, n_missing


def _header(data):
    """Return (length, kind, number of tracks, ticks a quarter).

    Raises MidiError for what is no MIDI file of type 0 or 1.
    """
    # Of a file that is too short, what is missing reads as 0.
    name, length, kind, n_tracks, division = HEADER.unpack_from(data.ljust(HEADER.size, b"\0"))
    faults = {
        "está vacío": not data,
        "no empieza por «MThd»": name != b"MThd",
        "su cabecera está dañada": len(data) < HEADER.size or length < 6,
        f"es de tipo {kind} y solo se leen los tipos 0 y 1": kind > 1,
        "cuenta el tiempo en fotogramas, no en negras": division & 0x8000,
        "su cabecera dice 0 tics por negra": not division,
        "su cabecera dice 0 pistas": not n_tracks,
    }
    for what, is_so in faults.items():
        if is_so:
            raise unreadable(what)
    return length, kind, n_tracks, division


def unreadable(what):
    """Return the MidiError of bytes that nobody can read."""
    return MidiError(f"no es un MIDI legible ({what}); vuelve a exportarlo o quítalo")


def ended(track):
    """Return the contents of a track with an end of track, and without zeros after it."""
    bare = track.rstrip(b"\0")
    if bare.endswith(END):
        return bare + b"\0"
    return track + b"\0" + END_OF_TRACK


def joined(header, tracks):
    """Return the bytes of a MIDI file, of what `mend` gives."""
    kind, division = header
    chunks = [HEADER.pack(b"MThd", 6, kind, len(tracks), division)]
    for track in tracks:
        chunks += [CHUNK.pack(b"MTrk", len(track)), track]
    return b"".join(chunks)


def released(track, n_times):
    """Return a track that is `ended`, with every key of its channels let go so often at its end."""
    used = [offs for channel, offs in enumerate(_OFFS) if 0x90 | channel in track]
    ending = b"".join(used) * n_times + b"\0" + END_OF_TRACK
    # The time of the end is left, and what comes first now takes it over.
    return track.removesuffix(END_OF_TRACK) + ending.removeprefix(b"\0")


_OFFS = [
    b"".join(bytes((0, 0x80 | channel, pitch, 0)) for pitch in range(N_PITCHES))
    for channel in range(N_CHANNELS)
]
