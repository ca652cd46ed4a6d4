"""`ferryman run`'s live view round the stub pipeline: FOLDER COMPILED FAULT [plain]; it prints one line to stdout."""

import sys
from pathlib import Path

import stub_pipeline

from ferryman.process import Process, spawn
from ferryman_pipelines.cli.live.view import view
from ferryman_pipelines.cli.output import show
from ferryman_pipelines.cli.summary import step_line
from ferryman_pipelines.runners import watch as watching
from ferryman_pipelines.runners.request import RunRequest


def main() -> None:
    """Watch the stub as the command watches a whole pipeline."""
    folder, compiled, fault, *plain = sys.argv[1:]
    run = Path(folder)
    run.mkdir(parents=True)
    (run / "text").write_text("four", encoding="utf-8")
    words = [sys.executable, stub_pipeline.__file__, folder, compiled, str(run / "text"), fault]

    def stub(_: object, **options: object) -> Process:
        return spawn(words, **options)  # type: ignore[arg-type]

    watching.spawn = stub  # type: ignore[assignment]
    request = RunRequest(
        **{"run": run.name, "name": "m", "origin": "m.yaml", "created": "2026", "spec": {}, "spec_sha256": "0"},
        root=str(run.parent),
        group=str(run.parent / "group"),
    )
    with view(watching.Run(run, run.name), plain=bool(plain)) as tell:
        record = watching.watch(request, lambda step: tell(step_line(step)), tell, isolate=True)
        if not sys.stdout.isatty():
            # While the view is drawn: what goes to stdout must not come out of the terminal.
            show("{")
    show(f'"outcome": "{record.outcome}"}}')
    sys.exit(record.exit_code)


if __name__ == "__main__":
    main()
