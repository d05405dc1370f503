"""The console script `pulumi-resource-labctl`: the same provider for people who run the `pulumi` CLI by hand.

A door: it reads settings and the site itself. The engine starts it with its own address and reads a port from the first
line of its output.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import grpc.aio  # type: ignore[import-untyped]
import yaml
from pulumi.runtime.proto import provider_pb2_grpc

from infra import provider as provider_
from infra import servicer
from infra.work import Work
from labctl import errors
from labctl import settings as settings_
from labctl.drivers import gates
from labctl.drivers.proxmox import client, cluster
from labctl.model import site as site_


def main() -> None:
    """Serve until the engine goes."""
    settings = settings_.Settings()
    try:
        provider = provider_.Labctl(_work(settings.site_file, settings.home / "state"))
    except errors.LabctlError as error:
        sys.exit(f"pulumi-resource-labctl: {error}")
    try:
        asyncio.run(_serve(provider, sys.argv[1] if len(sys.argv) > 1 else ""))
    except KeyboardInterrupt:
        return


def _work(site_file: Path, state: Path) -> Work:
    try:
        site = site_.Site.model_validate(yaml.safe_load(site_file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise errors.BadInput(f"cannot read the site from {site_file}: {error}", hint="Set LABCTL_HOME.") from error
    return Work(cluster.Cluster(client.Client(site.cluster), gates.Gates(state / "gates"), storage=site.storage, pool=site.pool))


async def _serve(provider: provider_.Labctl, engine_address: str) -> None:
    server = grpc.aio.server()
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer.Servicer(provider, engine_address), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await server.wait_for_termination()
