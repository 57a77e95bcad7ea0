"""The 128 instruments of General MIDI, by their names in Spanish and English.

Conventions: a program is a number 0-127, as in the MIDI message; printed
lists of General MIDI count from 1. Names are found whatever their case and
accents, in either language, and by what else people call them.

Source: General MIDI System Level 1 (MIDI Manufacturers Association, 1991).
"""

import unicodedata
from difflib import get_close_matches

from musiclab.errors import ParameterError

# One line a family of eight: Spanish | English, in the order of the programs.
_FAMILIES = """
piano de cola | acoustic grand piano; piano brillante | bright acoustic piano
piano de cola eléctrico | electric grand piano; piano de taberna | honky-tonk piano
piano eléctrico 1 | electric piano 1; piano eléctrico 2 | electric piano 2
clavecín | harpsichord; clavinet | clavinet
celesta | celesta; glockenspiel | glockenspiel; caja de música | music box
vibráfono | vibraphone; marimba | marimba; xilófono | xylophone
campanas tubulares | tubular bells; salterio | dulcimer
órgano Hammond | drawbar organ; órgano percusivo | percussive organ; órgano de rock | rock organ
órgano de iglesia | church organ; armonio | reed organ; acordeón | accordion
armónica | harmonica; bandoneón | tango accordion
guitarra española | acoustic guitar (nylon); guitarra acústica | acoustic guitar (steel)
guitarra de jazz | electric guitar (jazz); guitarra eléctrica limpia | electric guitar (clean)
guitarra eléctrica apagada | electric guitar (muted); guitarra saturada | overdriven guitar
guitarra distorsionada | distortion guitar; armónicos de guitarra | guitar harmonics
bajo acústico | acoustic bass; bajo con dedos | electric bass (finger)
bajo con púa | electric bass (pick); bajo sin trastes | fretless bass
bajo slap 1 | slap bass 1; bajo slap 2 | slap bass 2
bajo sintético 1 | synth bass 1; bajo sintético 2 | synth bass 2
violín | violin; viola | viola; violonchelo | cello; contrabajo | contrabass
cuerdas en trémolo | tremolo strings; cuerdas en pizzicato | pizzicato strings
arpa | orchestral harp; timbales | timpani
conjunto de cuerda 1 | string ensemble 1; conjunto de cuerda 2 | string ensemble 2
cuerda sintética 1 | synth strings 1; cuerda sintética 2 | synth strings 2
coro en a | choir aahs; coro en o | voice oohs
voz sintética | synth voice; golpe de orquesta | orchestra hit
trompeta | trumpet; trombón | trombone; tuba | tuba; trompeta con sordina | muted trumpet
trompa | french horn; sección de metales | brass section
metales sintéticos 1 | synth brass 1; metales sintéticos 2 | synth brass 2
saxofón soprano | soprano sax; saxofón alto | alto sax; saxofón tenor | tenor sax
saxofón barítono | baritone sax; oboe | oboe; corno inglés | english horn
fagot | bassoon; clarinete | clarinet
flautín | piccolo; flauta | flute; flauta dulce | recorder; flauta de Pan | pan flute
botella soplada | blown bottle; shakuhachi | shakuhachi; silbato | whistle; ocarina | ocarina
sintetizador cuadrado | lead 1 (square); sintetizador de sierra | lead 2 (sawtooth)
sintetizador calíope | lead 3 (calliope); sintetizador chiff | lead 4 (chiff)
sintetizador charango | lead 5 (charang); sintetizador de voz | lead 6 (voice)
sintetizador en quintas | lead 7 (fifths); sintetizador con bajo | lead 8 (bass + lead)
fondo new age | pad 1 (new age); fondo cálido | pad 2 (warm)
fondo polifónico | pad 3 (polysynth); fondo de coro | pad 4 (choir)
fondo de arco | pad 5 (bowed); fondo metálico | pad 6 (metallic)
fondo de halo | pad 7 (halo); fondo barrido | pad 8 (sweep)
lluvia | fx 1 (rain); banda sonora | fx 2 (soundtrack); cristal | fx 3 (crystal)
atmósfera | fx 4 (atmosphere); brillo | fx 5 (brightness); duendes | fx 6 (goblins)
ecos | fx 7 (echoes); ciencia ficción | fx 8 (sci-fi)
sitar | sitar; banjo | banjo; shamisen | shamisen; koto | koto
kalimba | kalimba; gaita | bag pipe; violín folclórico | fiddle; shanai | shanai
campanilla | tinkle bell; agogó | agogo; tambor metálico | steel drums
caja china | woodblock; taiko | taiko drum; tom melódico | melodic tom
tambor sintético | synth drum; platillo invertido | reverse cymbal
ruido de trastes | guitar fret noise; respiración | breath noise; olas | seashore
pájaro | bird tweet; teléfono | telephone ring; helicóptero | helicopter
aplausos | applause; disparo | gunshot
"""
# Of each program its Spanish and its English name.
_PAIRS = [pair.split("|") for pair in _FAMILIES.strip().replace("\n", ";").split(";")]
NAMES = tuple((spanish.strip(), english.strip()) for spanish, english in _PAIRS)


# What people call them, and instruments that General MIDI lacks, by the sound that comes
# closest. «clave» is the harpsichord in Spain and a stroke of percussion in America; texts
# say clavecín.
OTHER_NAMES = {
    0: "piano, piano acústico, pianola",
    2: "piano eléctrico de cola",
    3: "piano de pared, piano vertical",
    4: "piano eléctrico, teclado, teclados, keyboard",
    6: "clave, clavicémbalo, clavicordio, cémbalo, espineta",
    9: "carillón, lira",
    10: "cajita de música",
    11: "metalófono",
    13: "xilofón",
    14: "campanas",
    16: "órgano eléctrico",
    19: "órgano, órgano de tubos, organ",
    20: "melódica",
    21: "acordeón de piano, concertina",
    # Nylon or gut, plucked.
    24: "guitarra, guitarra clásica, guitarra flamenca, guitar, ukelele, ukulele, charango, "
    "cuatro, requinto, vihuela, laúd",
    # Steel, plucked: Roland's GS keeps its mandolin among the variations of this program.
    25: "bandurria, mandolina, guitarra de doce cuerdas, tres",
    27: "guitarra eléctrica, electric guitar",
    30: "guitarra eléctrica con distorsión, guitarra de rock",
    32: "bajo, bass",
    33: "bajo eléctrico",
    42: "violoncelo, violoncello, chelo",
    46: "harp",
    48: "cuerdas, cuerda, sección de cuerda, strings, orquesta, violines",
    52: "coro, choir, voces",
    53: "voz, canto",
    56: "corneta, fliscorno",
    60: "corno, corno francés",
    61: "metales, viento metal, brass",
    64: "saxo soprano",
    65: "saxofón, saxo, sax, saxo alto",
    66: "saxo tenor",
    67: "saxo barítono",
    69: "cor anglais",
    72: "píccolo, pífano",
    73: "flauta travesera, flauta traversa, flauta transversa",
    74: "flauta de pico, txistu",
    75: "zampoña, siku, rondador, antara, capador",
    77: "quena, kena",  # both are blown over a notch at the end of an open tube
    81: "sintetizador, sinte, synthesizer, synth",
    107: "cítara",
    109: "gaita gallega, gaita escocesa, bagpipe",
    111: "dulzaina, chirimía",  # a shawm too
    114: "steel drum, steelpan",
}
PERCUSSION = (
    "batería", "percusión", "drums", "drum kit", "cajón", "cajón flamenco", "cajón peruano",
    "tambor", "tamboril", "bombo", "caja", "redoblante", "platillos", "platos", "bongó", "bongós",
    "conga", "congas", "tumbadora", "maracas", "güiro", "claves", "castañuelas", "pandereta",
    "pandero", "triángulo", "cencerro", "djembé", "darbuka",
)  # fmt: skip
COMMON = (
    "piano", "piano eléctrico", "clavecín", "órgano", "acordeón", "bandoneón", "celesta",
    "caja de música", "vibráfono", "marimba", "xilófono", "guitarra", "guitarra eléctrica",
    "bandurria", "charango", "arpa", "violín", "viola", "violonchelo", "contrabajo", "cuerdas",
    "coro", "voz", "flauta", "flauta dulce", "flautín", "quena", "zampoña", "ocarina", "gaita",
    "oboe", "clarinete", "fagot", "saxofón", "trompeta", "trombón", "trompa", "tuba", "metales",
    "sintetizador", "banjo", "sitar", "koto", "kalimba",
)  # fmt: skip
MOST_NAMED = 5


def instrument_program(name):
    """Return the General MIDI program (0-127) of an instrument.

    name: in Spanish or English, or the number itself
    Raises ParameterError with the names that come close.
    """
    key, number = _plain(name), str(name).strip()
    if number.isdecimal() and int(number) < len(NAMES):
        return int(number)
    if key in _PROGRAMS:
        return _PROGRAMS[key]
    if key in _PERCUSSION:
        raise ParameterError(
            f"«{name}» es percusión, que no toca alturas, y una canción las necesita: "
            "prueba con marimba, xilófono o timbales"
        )
    raise ParameterError(
        f"no hay instrumento «{name!s:.40}»: prueba con {', '.join(_near(key))}, con otro nombre "
        "de General MIDI en español o en inglés, o con su número, de 0 a 127"
    )


def _near(key):
    """Return Spanish names that hold what was typed, then those that are spelt much like it."""
    holders = [name for name in _PROGRAMS if len(key) > 2 and key in name]
    alike = get_close_matches(key, _PROGRAMS, MOST_NAMED, cutoff=0.5)
    # Several names may be one program's, which is named once.
    programs = dict.fromkeys(_PROGRAMS[name] for name in holders + alike)
    near = [instrument_name(program) for program in programs]
    return near[:MOST_NAMED] or ["piano", "clavecín", "órgano", "violín", "flauta"]


def instrument_name(program):
    """Return the Spanish name of a General MIDI program."""
    return NAMES[program][0]


def _plain(name):
    """Return the letters and digits of a name, small and without accents."""
    letters = unicodedata.normalize("NFKD", str(name).casefold())
    return "".join(filter(str.isalnum, letters))


# A program by every name that it has; where two have the same, the latter's.
_PROGRAMS = {}
for _program, _names in enumerate(NAMES):
    _PROGRAMS |= {_plain(name): _program for name in _names}
for _program, _others in OTHER_NAMES.items():
    _PROGRAMS |= {_plain(name): _program for name in _others.split(",")}
_PERCUSSION = {_plain(name) for name in PERCUSSION}
