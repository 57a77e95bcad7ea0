"""Teams: one of them hands in, and each of them gets the mark and the feedback.

Who is in which team stands in a table: the teacher's own, or Moodle's
worksheet of an assignment for groups, which has a column «Grupo».
"""

from dataclasses import dataclass, replace

from musiclab.errors import GradingError
from musiclab.files import shown
from musiclab.grading.collecting import clean, free_name, plain_id
from musiclab.grading.lms import (
    Mark,
    cell_of,
    columns_of,
    fill_worksheet,
    last_number,
    read_rows,
    words_of,
)

STUDENT = {"student", "estudiante", "alumno", "alumna", "alumnado", "nombre", "name"}
REMEDY = "haz una tabla con las columnas «estudiante» y «equipo», una fila por estudiante"


@dataclass(frozen=True)
class Member:
    """Who is in which team; number: the student's in Moodle, or ""."""

    name: str
    team: str
    number: str = ""


def has_teams(worksheet):
    """Return whether a worksheet of Moodle's says who is in which group."""
    return "team" in columns_of(read_rows(worksheet)[0][0])


def numbered(members, worksheet):
    """Return the Members with their numbers in Moodle, as far as its worksheet knows their names."""
    marks = [Mark(str(k), one.name, "", None) for k, one in enumerate(members)]
    ids = fill_worksheet(worksheet, marks).ids
    return tuple(
        replace(one, number=one.number or ids.get(str(k), "")) for k, one in enumerate(members)
    )


def read_members(path):
    """Return the Members of a CSV file, in its order; those without a team are left out.

    Its columns are found by their titles, or are the student and the team.

    Raises GradingError for another table, and for a student in two teams.
    """
    rows, _ = read_rows(path)
    columns = columns_of(rows[0])
    for k, title in enumerate(rows[0]):
        if title.strip().lower() in STUDENT:
            columns.setdefault("name", k)
    rows = rows[1:] if columns else rows
    if not columns and {len(row) for row in rows} == {2}:
        columns = {"name": 0, "team": 1}
    if not {"name", "team"} <= columns.keys():
        raise GradingError(f"«{shown(path)}» no dice quién está en qué equipo: {REMEDY}")
    members = {}
    for row in rows:
        name, team = (clean(cell_of(row, columns, what)) for what in ("name", "team"))
        if team and not name:
            raise GradingError(
                f"en «{shown(path)}», una fila de «{team}» no dice quién: escribe el nombre o bórrala"
            )
        if not team or not words_of(team):
            continue
        number = last_number(cell_of(row, columns, "identifier"))
        known = members.setdefault((words_of(name), number), Member(name, team, number))
        if words_of(known.team) != words_of(team):
            raise GradingError(
                f"en «{shown(path)}», «{name}» está en «{known.team}» y en «{team}»: deja una fila"
            )
    if not members:
        raise GradingError(f"en «{shown(path)}» nadie está en un equipo: {REMEDY}")
    return tuple(members.values())


def teams_of(handed_in, members, path):
    """Return {id of a submission: the Members who get its mark}, for those that are a team's.

    A submission is a team's when it has the team's name, or that of one of its members.

    Raises GradingError for a team with two submissions, and where no team has any.
    """
    team_of = {words_of(one.name): words_of(one.team) for one in members}
    teams = {}
    for one in members:
        teams.setdefault(words_of(one.team), []).append(one)
    found, whose = {}, {}
    for one in handed_in:
        name = words_of(one.name)
        team = name if name in teams else team_of.get(name)
        if team is None:
            continue
        if team in whose:
            raise GradingError(
                f"«{teams[team][0].team}» tiene dos entregas, de «{whose[team]}» y de «{one.name}»: "
                f"deja una, o cambia sus equipos en «{shown(path)}»"
            )
        whose[team] = one.name
        found[one.id] = tuple(teams[team])
    if not found:
        raise GradingError(
            f"ninguna entrega es de un equipo de «{shown(path)}»: hay «{handed_in[0].name}», y los "
            f"equipos son como «{members[0].team}»; pon los nombres que tienen las entregas"
        )
    return found


def spread(class_, members, teams, path):
    """Return (a Graded for each student, Spanish sentences on the teams).

    class_: list of Graded, one a submission; members: of all teams
    teams: as `teams_of` gives them; path: of the table of teams
    """
    # In Moodle's zip of an assignment for groups, numbers are those of groups.
    grouped = any(
        words_of(one.name) == words_of(teams[one.id][0].team) for one in class_ if one.id in teams
    )
    alone = [one for one in class_ if one.id not in teams]
    people, taken = [], {one.id for one in alone}
    for one in class_:
        if one.id not in teams:
            people.append(replace(one, lms="") if grouped and one.lms == "moodle" else one)
        for member in teams.get(one.id, ()):
            wanted, lms = plain_id(f"{member.team[:25]} {member.name}"), ""
            if member.number:
                wanted, lms = member.number, "moodle"
            elif words_of(member.name) == words_of(one.name):
                wanted, lms = one.id, one.lms
            own_id = free_name(wanted, taken)
            people.append(replace(one, id=own_id, lms=lms, name=member.name, team=member.team))
    said = []
    if alone:
        said.append(f"Sin equipo en «{shown(path)}»: {', '.join(one.name for one in alone)}.")
    done = {words_of(some[0].team) for some in teams.values()}
    missing = {words_of(one.team): one.team for one in members if words_of(one.team) not in done}
    if missing:
        said.append(f"Sin entrega: {', '.join(missing.values())}.")
    return people, said
