"""MIDI bytes that a strict reader takes, made of those that programs and cut downloads leave.

A MIDI file within a RIFF file, a header longer than six bytes, chunks that
are no tracks, wrong lengths and tracks without an end are mended; all else
is refused in one sentence that says why.
"""

from musiclab.errors import MidiError

END_OF_TRACK = b"\xff\x2f\x00"
N_CHANNELS, N_PITCHES = 16, 128


def mend(data):
    """Return (header, tracks, how many bytes are missing) of the bytes of a MIDI file.

    header: its 14 bytes; tracks: their contents, as a list of bytes, some without an end
    Raises MidiError when the bytes are no MIDI file of type 0 or 1.
    """
    start = max(data.find(b"MThd", 0, 64), 0) if data.startswith(b"RIFF") else 0
    n_tracks = _check_header(data[start:])
    position = start + 8 + int.from_bytes(data[start + 4 : start + 8], "big")
    tracks, n_missing = [], 0
    while position + 8 <= len(data) and len(tracks) < n_tracks:
        name, begin = data[position : position + 4], position + 8
        position = begin + int.from_bytes(data[position + 4 : begin], "big")
        following = data[position : position + 4]
        # A wrong length leads beyond the file, or to something that is no chunk; what follows
        # the end of the last track may be anything.
        last = len(tracks) + 1 == n_tracks and data[begin:position].endswith(END_OF_TRACK)
        strange = position < len(data) and not following.isalpha() and not last
        if position > len(data) or strange:
            found = data.find(b"MTrk", begin)
            n_missing += max(position - len(data), 0) if found < 0 else 0
            position = len(data) if found < 0 else found
        if name == b"MTrk":
            tracks.append(data[begin:position])
    if not tracks:
        raise unreadable(f"anuncia {n_tracks} pistas y no hay ninguna")
    return b"MThd\0\0\0\6" + data[start + 8 : start + 14], tracks, n_missing


def _check_header(data):
    """Return the number of tracks. Raises MidiError for what is no MIDI file of type 0 or 1."""
    kind, n_tracks, division = (int.from_bytes(data[k : k + 2], "big") for k in (8, 10, 12))
    faults = {
        "está vacío": not data,
        "no empieza por «MThd»": data[:4] != b"MThd",
        "su cabecera está dañada": len(data) < 14 or int.from_bytes(data[4:8], "big") < 6,
        f"es de tipo {kind} y solo se leen los tipos 0 y 1": kind > 1,
        "cuenta el tiempo en fotogramas, no en negras": division & 0x8000,
        "su cabecera dice 0 tics por negra": not division,
        "su cabecera dice 0 pistas": not n_tracks,
    }
    for what, is_so in faults.items():
        if is_so:
            raise unreadable(what)
    return n_tracks


def unreadable(what):
    """Return the MidiError of bytes that nobody can read."""
    return MidiError(f"no es un MIDI legible ({what}); vuelve a exportarlo o quítalo")


def ended(track):
    """Return the contents of a track with an end of track, and without zeros after it."""
    bare = track.rstrip(b"\0")
    if bare.endswith(END_OF_TRACK[:2]):
        return bare + END_OF_TRACK[2:]
    return track + b"\0" + END_OF_TRACK


def joined(header, tracks):
    """Return a MIDI file of a header, in which their number is put right, and its tracks' contents."""
    header = header[:10] + len(tracks).to_bytes(2, "big") + header[12:]
    return header + b"".join(b"MTrk" + len(t).to_bytes(4, "big") + t for t in tracks)


def released(track, n_times):
    """Return a track that is `ended`, with every key of its channels let go so often at its end."""
    offs = b"".join(offs for channel, offs in enumerate(_OFFS) if 0x90 | channel in track) * n_times
    # What comes first now takes over the time of the end.
    return track[: -len(END_OF_TRACK)] + (offs + b"\0" + END_OF_TRACK)[1:]


_OFFS = [
    b"".join(bytes((0, 0x80 | channel, pitch, 0)) for pitch in range(N_PITCHES))
    for channel in range(N_CHANNELS)
]
