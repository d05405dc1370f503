"""The embedded engine does what our program asks for and refuses the rest by name; nothing is made by halves."""

from __future__ import annotations

import pytest
from pulumi.runtime.proto import resource_pb2

from infra import state
from infra.engines import engine, monitor, records, steps
from labctl import errors
from tests.infra import things


@pytest.fixture
def watching(tmp_path):
    books = records.Records(state.Backend(tmp_path / "state"), "s1")
    outcome = engine.Outcome()
    return monitor.Monitor("s1", "labctl", books, steps.Steps(things.make_provider(things.work(tmp_path)), books, outcome))


@pytest.mark.parametrize(
    "what", ["Invoke", "Call", "ReadResource", "StreamInvoke", "RegisterStackTransform", "RegisterResourceHook", "RegisterPackage"]
)
def test_what_our_program_never_asks_for_is_refused_by_name(watching, what):
    with pytest.raises(errors.PermanentError, match=what) as refusal:
        getattr(watching, what)
    assert 'engine = "pulumi"' in refusal.value.hint


def test_components_and_options_that_the_engine_does_not_know_are_refused(watching):
    watching.RegisterResource(resource_pb2.RegisterResourceRequest(type="pulumi:pulumi:Stack", name="labctl-s1"))
    with pytest.raises(errors.PermanentError, match="component other:index:Web"):
        watching.RegisterResource(resource_pb2.RegisterResourceRequest(type="other:index:Web", name="w"))
    with pytest.raises(errors.PermanentError, match="options of t"):
        watching.RegisterResource(
            resource_pb2.RegisterResourceRequest(type=things.THING.name, name="t", custom=True, importId="x", object={})
        )


def test_an_unknown_type_of_resource_fails_with_its_name(tmp_path):
    from infra.engines import embedded
    from infra.program import Program, Resource

    world = embedded.Embedded(state.Backend(tmp_path / "state"), things.make_provider)
    outcome = world.up(Program("s1", (Resource("labctl:index:Nothing", "n", {}),)), things.work(tmp_path))
    assert "labctl:index:Nothing" in " ".join(outcome.failures)
