"""The command `musiclab`, which the Makefile calls."""

import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import click

from musiclab import course
from musiclab.errors import MusiclabError
from musiclab.files import output_folder, shown, write_bytes, write_csv

FIRST_LESSON, PRESET = "01", "completo"


class _Group(click.Group):
    def invoke(self, context):
        """Show a musiclab error as its sentence alone, and exit with 1."""
        try:
            return super().invoke(context)
        except MusiclabError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="musiclab")
def main():
    """Un curso en el que una red recurrente aprende a escribir música."""


@main.command()
@click.argument("names", nargs=-1, metavar="[CONJUNTO]...")
@click.option("--write-manifest", is_flag=True, help="Para quien mantiene el curso.")
def data(names, write_manifest):
    """Construye los conjuntos de canciones y los compara con el manifiesto."""
    from musiclab import datasets
    from musiclab.datasets import corpus

    if write_manifest:
        corpus.write_manifest()
    for name in names or datasets.SETS:
        if name not in datasets.SETS:
            known = ", ".join(datasets.SETS)
            raise click.ClickException(f"no existe el conjunto «{name}»: elige entre {known}")
        folder = datasets.build_dataset(name)
        n_files = len(list(folder.glob("*.mid")))
        click.echo(f"{name:<10} {n_files:>5} ficheros en {_short(folder)}")


@main.command()
@click.argument("notebook", default=FIRST_LESSON, metavar="[CUADERNO]")
@click.option("-p", "pairs", nargs=2, multiple=True, metavar="NOMBRE VALOR", help="Un parámetro.")
@click.option(
    "-f", "--preset",
    help="Un fichero de notebooks/parametros/, por su nombre, o la ruta de otro; sin él, lo que "
    f"diga {PRESET} de los parámetros que el cuaderno tiene.",
)  # fmt: skip
def run(notebook, pairs, preset):
    """Ejecuta un cuaderno entero y deja lo que hace en runs/."""
    path = course.find_notebook(notebook)
    if preset is None:
        known = course.read_parameters(path)
        chosen = {k: v for k, v in course.read_preset(PRESET).items() if k in known}
    else:
        chosen = course.read_preset(preset)
    parameters = chosen | dict(pairs)
    click.echo(f"{path.name}: {', '.join(f'{k} = {v}' for k, v in parameters.items())}")
    folder = course.run_notebook(path, parameters)
    click.echo(f"Listo. En {_short(folder)}:")
    for file in sorted(folder.iterdir()):
        click.echo(f"  {file.name:<40} {file.stat().st_size / 1000:>8.0f} kB")


@main.command()
@click.argument("notebooks", nargs=-1, metavar="[CUADERNO]...")
def store(notebooks):
    """Ejecuta los cuadernos con sus valores por defecto y guarda sus salidas."""
    for name in notebooks or [*course.lessons(), *course.solutions()]:
        path = course.find_notebook(str(name))
        course.store_notebook(path)
        click.echo(f"guardado {path.name}")


@main.command()
@click.argument("names", nargs=-1, metavar="[NN]...")
@click.option(
    "--check", is_flag=True, help="No escribe nada: dice si lo que hay es lo que saldría."
)
def release(names, check):
    """Hace los cuadernos de ejercicios a partir de los de soluciones."""
    from musiclab import grading

    made = grading.release_notebooks(names, check=check)
    for path in [*made, *grading.make_rubrics(names, check=check)]:
        click.echo(f"{'al día' if check else 'hecho'}: {_short(path)}")


@main.command()
@click.argument("submissions", required=False, metavar="[ENTREGAS]")
@click.option("--assignment", metavar="NN", help="El número del cuaderno de ejercicios.")
@click.option("--out", metavar="CARPETA", help="Dónde dejar las notas.")
@click.option("--worksheet", metavar="FICHERO", help="La hoja de calificaciones de Moodle (.csv).")
@click.option("--canvas", metavar="FICHERO", help="El libro de calificaciones de Canvas (.csv).")
@click.option("--teams", metavar="FICHERO", help="Quién está en qué equipo: estudiante y equipo.")
@click.option(
    "--trust-submissions",
    "trust",
    is_flag=True,
    help="Ejecuta sin aislar: solo si te fías de quien ha escrito cada entrega.",
)
@click.option("--check", is_flag=True, help="Dice si este equipo puede aislar entregas, y acaba.")
@click.option("--cluster", metavar="DIRECCIÓN", help="De Dask, como tcp://10.0.0.5:8786.")
@click.option("--jobs", type=int, default=-1, help="Cuántas a la vez; si no, una por núcleo.")
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1),
    help="De los ejemplos ocultos; si no se dice, una al azar que se guarda con las notas.",
)  # fmt: skip
def grade(submissions, assignment, out, check, jobs, **options):
    """Califica las entregas de una clase: una carpeta, o el zip de Moodle o de Canvas."""
    from musiclab import grading

    if check:
        from musiclab.grading.machine import check_machine

        machine = check_machine()
        for sentence in machine.sentences:
            click.echo(sentence)
        raise SystemExit(0 if machine.isolates else 1)
    if not (submissions and assignment and out):
        raise click.UsageError("faltan las entregas, --assignment o --out")
    grading.grade(
        submissions,
        assignment,
        out,
        n_jobs=jobs or -1,
        show=click.echo,
        **options,
    )


@main.command()
@click.argument("name", metavar="NN")
@click.option("--file", metavar="CUADERNO", help="Otro que el de tu copia del curso.")
def check(name, file):
    """Comprueba tus ejercicios como lo hará quien los califica, con los ejemplos a la vista."""
    from musiclab import grading
    from musiclab.course import copies
    from musiclab.grading.reporting import number

    run, notes = grading.check_own(file or _own_exercises(name, copies.COPIES), name)
    for note in notes:
        click.echo(note)
    for one in run.items:
        points = "—" if one.points is None else f"{number(one.points)} de {number(one.max_points)}"
        click.echo(f"{one.grade_id:<28} {one.status:<12} {points:>10}  {one.reason}".rstrip())
    for error in run.errors:
        click.echo(f"una celda se detiene: {error}")


def _own_exercises(name, copies):
    """Return the path of a student's exercise notebook, in their copy or where it was released."""
    for folder in (copies, course.NOTEBOOKS):
        found = sorted((folder / "ejercicios").glob(f"{name}_*.ipynb"))
        if found := [path for path in found if ".nueva" not in path.name]:
            return found[0]
    raise click.ClickException(f"no hay ejercicios {name} en tu copia; ábrela con musiclab lab")


@main.command()
@click.argument("name", default="tiny", metavar="[CONJUNTO]")
def fidelity(name):
    """Dice qué conserva y qué pierde cada codificación de un conjunto."""
    from musiclab import datasets
    from musiclab.encoding import fidelity_table

    songs, report = datasets.load_dataset(name)
    click.echo(f"{report}\n\n{fidelity_table(songs)}")


@main.group(cls=_Group)
def bench():
    """Mide lo que aprende una red, al lado de sus rivales."""


@bench.command("jsb")
@click.option("--data", required=True, metavar="CARPETA", help="Con las carpetas train y valid.")
@click.option(
    "--split", "parts", multiple=True, metavar="NOMBRE",
    help="Otra carpeta de --data en la que medir, por ejemplo test.",
)  # fmt: skip
@click.option(
    "--save", metavar="FICHERO", help="Guarda el modelo (.safetensors), que escribe corales."
)
@click.option("--results", metavar="FICHERO", help="Guarda la tabla (.csv).")
@click.option(
    "--without",
    multiple=True,
    metavar="IDEA",
    help="Una idea de la que prescindir; se puede repetir.",
)
@click.option(
    "--checkpoint", metavar="CARPETA",
    help="Deja ahí un punto de control cada época, y sigue desde el que haya.",
)  # fmt: skip
@click.option("--steps", type=click.IntRange(1), help="Pasos del optimizador.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
def bench_jsb(data, parts, save, results, without, checkpoint, steps, seed):
    """Los corales JSB: NLL y exactitud de cada semicorchea de cada voz."""
    from musiclab.chorales import Settings, table

    chosen = {"without": without, "seed": seed} | ({"steps": steps} if steps else {})
    settings, chorales = Settings(**chosen), table.read_parts(data, parts)
    for file in filter(None, (save, results)):
        if Path(file).is_dir():
            raise click.ClickException(f"«{file}» es una carpeta: di también un nombre de fichero")
        output_folder(Path(file).parent)
    click.echo(table.HEADING)
    rows, model = table.bench(chorales, settings, show=click.echo, folder=checkpoint)
    if save:
        click.echo(f"el modelo está en {_short(model.save(save))}; «musiclab chorale» lo usa")
    if results:
        click.echo(f"la tabla está en {_short(write_csv(results, [asdict(row) for row in rows]))}")


@main.command()
@click.argument("model", metavar="MODELO")
@click.option("--key", metavar="TONALIDAD", help="Como «re menor»; sin ella, una fácil de leer.")
@click.option("--bars", type=click.IntRange(1, 200), default=40, help="Como mucho; 40 si no.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@click.option("--output", default="runs/coral", show_default=True, metavar="CARPETA")
def chorale(model, key, bars, seed, output):
    """Escribe un coral con un modelo que guardó «musiclab bench jsb --save»."""
    from numpy.random import default_rng

    from musiclab.chorales import ChoraleModel, files, write

    net = ChoraleModel.load(model)
    notes = write(net, default_rng(seed), bars * files.BAR, key)
    if len(notes) == bars * files.BAR:
        click.echo(f"El coral no había terminado a los {bars} compases: está cortado ahí.")
    _leave_chorale(notes, net, output)


@main.command()
@click.argument("model", metavar="MODELO")
@click.argument("melody", metavar="MELODÍA")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@click.option("--output", default="runs/armonizada", show_default=True, metavar="CARPETA")
def harmonise(model, melody, seed, output):
    """Pone otras tres voces a una melodía: un fichero MIDI, o notas como «Sol4 La4 Si4:2»."""
    from numpy.random import default_rng

    from musiclab.chorales import ChoraleModel, writing

    net = ChoraleModel.load(model)
    notes = writing.melody_of(writing.read_melody(melody))
    _leave_chorale(writing.harmonise(notes, net, default_rng(seed)), net, output)


def _leave_chorale(notes, net, output):
    """Leave a chorale in a folder, and say how much of it the network has copied."""
    from musiclab import evaluation, playback
    from musiclab.music import voices

    folder = output_folder(output)
    song = voices.grid_to_song(notes, source="coral", program=19, tempo_bpm=80.0)
    copied = f"El coral {evaluation.copied_run(song, net.known_songs())}."
    write_bytes(folder / "copia.txt", f"{copied}\n".encode())
    click.echo(copied)
    for path in playback.save_song(song, folder):
        click.echo(_short(path))


def _of_a_midi_file(command):
    """Give a command a MIDI file, and the instrument and tempo that the user wants for it."""
    options = (
        click.argument("file", type=click.Path(path_type=Path), metavar="FICHERO"),
        click.option(
            "--instrument", "-i", metavar="NOMBRE",
            help="De General MIDI, en español o inglés, o su número; sin ella, los del fichero.",
        ),
        click.option("--tempo", type=float, metavar="NEGRAS", help="Negras por minuto."),
        click.option("--open/--no-open", "wanted", default=True, help="Abrirlo al terminar, o no."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def _titled(command):
    option = click.option("--title", metavar="TEXTO", help="En lugar del nombre del fichero.")
    return option(command)


def _output(what):
    return click.option(
        f"--{what}", "output", is_flag=False, flag_value="", default="", metavar="[SALIDA]",
        help=f"Dónde escribirlo; sin ella, en runs/ con el nombre del fichero y .{what}.",
    )  # fmt: skip


def _read_midi(file, instrument, tempo):
    """Return a MIDI file's song, after saying what was left out of it."""
    from musiclab.midi.reading import read_bytes, read_midi
    from musiclab.playback import with_sound

    song, reading = read_midi(read_bytes(file))
    for remark in reading.remarks():
        click.echo(remark)
    return with_sound(song, instrument, tempo)


def _deliver(path, wanted):
    click.echo(_short(path))
    if wanted and sys.stdout.isatty():
        click.launch(str(path))


def _place(file, output, suffix):
    return Path(output or Path("runs", f"{shown(file.stem)}.{suffix}"))


@main.command()
@_of_a_midi_file
@_output("mp3")
def play(file, instrument, tempo, wanted, output):
    """Toca un fichero MIDI: lo escribe como MP3 y lo abre."""
    from musiclab import playback

    song = _read_midi(file, instrument, tempo)
    if note := playback.left_out(song):
        click.echo(note)
    sound = playback.mp3_bytes(playback.render(song))
    _deliver(write_bytes(_place(file, output, "mp3"), sound), wanted)


@main.command()
@_of_a_midi_file
@_titled
@_output("pdf")
def score(file, instrument, tempo, title, wanted, output):
    """Escribe la partitura de un fichero MIDI como PDF, y la abre."""
    from musiclab.engraving import save_pdf

    song = _read_midi(file, instrument, tempo)
    _deliver(save_pdf(song, _place(file, output, "pdf"), title or shown(file.stem)), wanted)


@main.command()
@_of_a_midi_file
@_titled
@_output("png")
@click.option(
    "--colour", type=click.Choice(["voice", "velocity"]), default="voice", show_default=True,
    help="Por voces o por intensidad.",
)  # fmt: skip
def roll(file, instrument, tempo, title, wanted, output, colour):
    """Dibuja el rollo de pianola de un fichero MIDI como PNG, y lo abre."""
    from musiclab.plotting import roll_png

    song = _read_midi(file, instrument, tempo)
    picture = roll_png(song, title=title or shown(file.stem), colour=colour)
    _deliver(write_bytes(_place(file, output, "png"), picture), wanted)


@main.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--originals", is_flag=True,
    help="Los cuadernos del curso, y no tu copia de mi_curso/: para quien lo mantiene.",
)  # fmt: skip
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def lab(originals, options):
    """Abre JupyterLab en la primera lección de tu copia del curso, en mi_curso/."""
    from musiclab.course import copies

    lesson = course.find_notebook(FIRST_LESSON)
    if not originals:
        folder = course.PROJECT / copies.COPIES.name
        for sentence in copies.lay_out(lesson.parent, folder):
            click.echo(sentence)
        lesson = folder / lesson.name
    url = f"/lab/tree/{lesson.relative_to(course.PROJECT).as_posix()}"
    # From the project's root, so that the lesson's links to other files work;
    # with the course's settings, which ask nothing of the network.
    where = [
        f"--ServerApp.root_dir={course.PROJECT}",
        f"--LabApp.default_url={url}",
        f"--LabApp.app_settings_dir={Path(__file__).with_name('jupyterlab')}",
    ]
    raise SystemExit(subprocess.call([sys.executable, "-m", "jupyterlab", *where, *options]))


def _short(path):
    """Return a path relative to where the user stands, when it lies below."""
    path = Path(path).resolve()
    return shown(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
