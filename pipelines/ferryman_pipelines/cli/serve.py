"""`ferryman serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from ferryman_pipelines.cli.completion import group_names
from ferryman_pipelines.cli.home import home
from ferryman_pipelines.cli.output import say


def serve(
    group: Annotated[
        str, typer.Argument(help="The serving group.", metavar="[GROUP]", autocompletion=group_names)
    ] = "local",
    port: Annotated[int, typer.Option(help="Port of gRPC; 0 takes a free one.", min=0, max=65535)] = 8500,
    rest_port: Annotated[int, typer.Option(help="Port of REST; 0 takes a free one.", min=0, max=65535)] = 8501,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on (TensorFlow Serving's own server takes every one); there is no authentication."
        ),
    ] = "127.0.0.1",
    soak: Annotated[
        float, typer.Option(help="Seconds that the previous version stays loaded after a switch.", min=0)
    ] = 0.0,
) -> None:
    """Serve what was released to a group, until Ctrl-C.

    Rollouts go on meanwhile. It speaks TensorFlow Serving's gRPC and REST.

    Example: ferryman serve --rest-port 9001
    """
    from ferryman.controller.group import GroupProcess, serve_until_stopped
    from ferryman_pipelines.cli.groups import check_ports, group_to_serve

    place = home()
    folder = group_to_serve(place, group)
    check_ports(place, folder, host, (port, rest_port))
    say(f"group {group} in {folder}; Ctrl-C ends it")
    serve_until_stopped(
        GroupProcess(folder, host=host, grpc_port=port, rest_port=rest_port, soak_seconds=soak, told=say)
    )
    say("ended")
