"""A `docker` that stands for one that is there, or that refuses in a way that cannot be brought about at will."""

from __future__ import annotations

from pathlib import Path

SCRIPT = r"""#!/bin/sh
# What it is to do differently stands in files beside it.
here=$(dirname "$0")
echo "$*" >> "$here/asked"
PYTHON='{"version": "3.11.2", "machine": "x86_64", "libc": ["glibc", "2.36"], "kind": "CPython", "venv": true}'
say() { [ -e "$here/$1" ] && cat "$here/$1" || printf '%s\n' "$2"; }
fail() { [ ! -e "$here/$1.fails" ] || { cat "$here/$1.fails" >&2; exit 1; }; }
case "$1 $2" in
"--version "*) say version "Docker version 20.10.24" ;;
"version "*) fail engine; echo 20.10.24 ;;
"build --help") fail buildkit ;;
"context inspect") say endpoint unix:///var/run/docker.sock ;;
"info "*) say root / ;;
"image inspect") fail inspect; echo 1000 ;;
"history "*) printf '{"CreatedAt": "today", "CreatedBy": "RUN", "Size": "%s"}\n' "$(say size 1000)" ;;
"pull "*) fail pull ;;
"tag "*) ;;
"run "*) fail run; say python "$PYTHON" ;;
"build "*)
    for word in "$@"; do
        case "$word" in
        --target=*) target=${word#--target=} ;;
        --iidfile=*) file=${word#--iidfile=} ;;
        esac
        context=$word
    done
    cp -r "$context" "$here/context.$target"
    echo "#4 [$target 1/1] RUN true"
    fail "build.$target"
    printf 'sha256:%064d' "$(say "id.$target" "${#target}")" > "$file" ;;
"push "*)
    fail push
    echo "latest: digest: sha256:$(printf '%064d' 9) size: 1" ;;
*) echo "not known: $*" >&2; exit 64 ;;
esac
"""


class DockerStandIn:
    """The stand-in, in a folder that is to come first on the PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "docker").write_text(SCRIPT)
        (folder / "docker").chmod(0o755)

    @property
    def path(self) -> str:
        """PATH with it in front, and without any other builder."""
        return f"{self.folder}:/usr/bin:/bin"

    @property
    def asked(self) -> list[str]:
        """Each command that it was given."""
        return (self.folder / "asked").read_text().splitlines() if (self.folder / "asked").exists() else []

    def says(self, what: str, text: str) -> None:
        """From now on it answers so (`version`, `endpoint`, `root`, `python`, `id.NAME`)."""
        (self.folder / what).write_text(text)

    def refuses(self, what: str, text: str) -> None:
        """From now on it fails so (`engine`, `buildkit`, `inspect`, `pull`, `run`, `build.NAME`, `push`)."""
        (self.folder / f"{what}.fails").write_text(text)

    def context(self, name: str) -> Path:
        """A copy of the context that an image was built from."""
        return self.folder / f"context.{name}"
