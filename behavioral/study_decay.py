"""Measure the cost of a decay rule: train with each rule, in real numbers and with 4-bit weights and 8-bit membranes.

    PYSPICE_CIM_DATA=FOLDER python behavioral/study_decay.py run       # about 80 minutes on one core; resumes
    python behavioral/study_decay.py report                            # results.json, results.md and decay.png

All seeds of a rule train together; then each seed adds a line to runs.jsonl. An interrupted study goes on with the rule
where it stopped. Runs with another recipe or other data do not count as done. The module
`pyspice_cim.training.study.study` says what a run does.
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from pyspice_cim.errors import CimError, DataError
from pyspice_cim.resources import write_atomically

HERE = Path(__file__).resolve().parent
FOLDER = HERE / "studies" / "decay"
NETWORK = HERE / "networks" / "spoken_digits.h5"


def main(arguments: list[str] | None = None) -> int:
    """Run or report; returns the exit status, 2 with a message for an error that a user can correct."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "report"])
    parser.add_argument("--folder", type=Path, default=FOLDER, help="folder of runs and results (default: %(default)s)")
    parser.add_argument(
        "--network",
        type=Path,
        default=NETWORK,
        help="file for the network of spoken digits, clamp, seed 0 (%(default)s)",
    )
    parser.add_argument("--tasks", nargs="+", default=None, help="tasks to run, in this order (default: all)")
    parser.add_argument("--seeds", type=int, default=10, help="runs of each rule (default: %(default)s)")
    parser.add_argument("--first-seed", type=int, default=0, help="first seed (default: %(default)s)")
    parser.add_argument("--rules", nargs="+", default=None, help="rules to train (default: all)")
    chosen = parser.parse_args(arguments)
    try:
        chosen.folder.mkdir(parents=True, exist_ok=True)
        if chosen.what == "run":
            seeds = range(chosen.first_seed, chosen.first_seed + chosen.seeds)
            run(chosen.folder, chosen.network, chosen.tasks, seeds, chosen.rules)
        else:
            report(chosen.folder)
    except CimError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    return 0


def run(folder: Path, network: Path, names: list[str] | None, seeds: range, rules: list[str] | None) -> None:
    """Do the missing runs, and write the ``network`` of spoken digits with clamp and seed 0.

    Raises:
        DataError: if a task, a rule or a number of seeds is invalid.
    """
    # Imported here: without PyTorch, --help still works and the error says what to install.
    from pyspice_cim.behavioral.network.file import save_network
    from pyspice_cim.training._torch import torch
    from pyspice_cim.training.export import export
    from pyspice_cim.training.study.study import DECAYS, missing_rules, recipe_of, run_study
    from pyspice_cim.training.study.tasks import TASKS

    torch.set_num_threads(1)
    for kind, asked, there in (("task", names, TASKS), ("rule", rules, DECAYS)):
        for name in asked or ():
            if name not in there:
                raise DataError(f"there is no {kind} {name!r}; choose from {', '.join(there)}")
    if not seeds or seeds[0] < 0:
        raise DataError(
            f"there are {len(seeds)} seeds from {seeds.start}; give --seeds of 1 and --first-seed of 0 or more"
        )
    for name in names or TASKS:
        task = TASKS[name]
        data = task.load()
        recipe = recipe_of(task.settings, data)
        left = missing_rules(read_runs(folder), recipe, seeds, rules or DECAYS)
        print(f"{task.title}: {len(left)} rules to train, {len(seeds)} seeds at once", flush=True)
        start = time.monotonic()
        epochs = len(left) * (task.settings.epochs + 2 * task.settings.epochs_quantized)
        done = 0

        def progress(line: str, name: str = name, start: float = start, epochs: int = epochs) -> None:
            nonlocal done
            done += 1
            minutes = (time.monotonic() - start) * (epochs - done) / done / 60
            print(f"{name}: {done}/{epochs} epochs, about {minutes:.0f} min left of this task; {line}", flush=True)

        for decay in left:
            settings = replace(task.settings, decay=decay)
            records, networks = run_study(data, settings, seeds, progress=progress)
            runs = [*read_runs(folder), *({"task": name, "recipe": recipe} | record for record in records)]
            write_atomically(
                folder / "runs.jsonl", "".join(json.dumps(each) + "\n" for each in runs).encode(), follow=False
            )
            for numbers in ("real", "integer"):
                print(f"{name}, {decay}, {numbers}: {[round(record[numbers], 4) for record in records]}", flush=True)
            if (name, decay, seeds[0]) == ("spoken", "clamp", 0):
                meta = {
                    "data": task.title,
                    "accuracy": f"{records[0]['integer']:.4f}",
                    "written by": "behavioral/study_decay.py",
                }
                whole = export(networks[0], steps=settings.steps, encoder=settings.encoder, meta=meta)
                save_network(whole, network)


def report(folder: Path) -> None:
    """Write ``results.json``, ``results.md`` and ``decay.png``, from the runs with the latest recipe of each task.

    Raises:
        DataError: if there are no runs, or a line of the runs is no JSON.
    """
    from pyspice_cim.report.decay_figure import draw_decay_study
    from pyspice_cim.training.study.report import results, text
    from pyspice_cim.training.study.tasks import TASKS

    runs = read_runs(folder)
    if not runs:
        raise DataError(f"{folder / 'runs.jsonl'} has no runs; make some with: python behavioral/study_decay.py run")
    found = results(runs, TASKS)
    write_atomically(folder / "results.json", (json.dumps(found, indent=1) + "\n").encode(), follow=False)
    write_atomically(folder / "results.md", text(found, runs).encode(), follow=False)
    draw_decay_study(found, folder / "decay.png")
    print("\n".join(f"{task['title']}: {task['verdict']}" for task in found["tasks"].values()))


def read_runs(folder: Path) -> list[dict]:
    """The finished runs of ``folder``."""
    path = folder / "runs.jsonl"
    runs = []
    for number, line in enumerate(path.read_text().splitlines() if path.is_file() else [], 1):
        try:
            runs.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise DataError(
                f"{path}, line {number} is no JSON ({error}); remove the line, and the run is done again"
            ) from error
    return runs


if __name__ == "__main__":
    sys.exit(main())
