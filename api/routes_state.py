"""Routes about labctl itself: health, who I am, status, tokens."""

from __future__ import annotations

import importlib.metadata

from fastapi import APIRouter, Response

from api import problems, shapes, shown, wellness, who
from labctl import errors, ports

router = APIRouter(prefix="/api/v1")


@router.get("/health", tags=["labctl"], summary="Whether the API runs")
def health(response: Response) -> shapes.Health:
    """Needs no token and asks nobody; /status looks at what the API needs."""
    response.headers["X-Labctl"] = "1"
    return shapes.Health(version=importlib.metadata.version("labctl"))


@router.get("/me", tags=["labctl"], summary="Whose token this is", responses=problems.answers(401, 403))
def me(asker: who.Anyone, house: who.House) -> shapes.Me:
    """A learner finds their classroom and seat here."""
    if asker.environment is None:
        return shapes.Me(name=asker.person.name, role=asker.role)
    env = house.environments.environment(asker.environment)
    return shapes.Me(name=asker.person.name, role=asker.role, classroom=env.classroom, seat=env.seat)


@router.get("/status", tags=["labctl"], summary="Whether what the API needs answers", responses=problems.answers(401, 403))
def status(asker: who.SeesCluster, house: who.House) -> shapes.State:
    """Asks the store, the broker and the node now; what does not answer says so, and the answer is 200 all the same."""
    del asker
    return wellness.state(house, importlib.metadata.version("labctl"))


@router.get("/tokens", tags=["tokens"], summary="Who has a token", responses=problems.answers(401, 403))
def list_tokens(asker: who.ItOnly, house: who.House) -> list[shapes.TokenShape]:
    """Never the secrets: only their hashes are kept."""
    del asker
    return [shown.token(one) for one in house.tokens.list()]


@router.post("/tokens", tags=["tokens"], status_code=201, summary="Make a token", responses=problems.answers(400, 401, 403, 404, 409, 422))
def create_token(asker: who.ItOnly, house: who.House, wanted: shapes.NewToken) -> shapes.Secret:
    """The secret is in the answer and nowhere else."""
    del asker
    environment = None
    if wanted.role == who.LEARNER:
        if wanted.classroom is None or wanted.seat is None:
            raise errors.BadInput("A learner's token needs a classroom and a seat.", hint="Give both, or another role.")
        environment = house.desk.seat(wanted.classroom, wanted.seat)[1].id
    elif wanted.classroom is not None or wanted.seat is not None:
        raise errors.BadInput(f"A token for the role {wanted.role} is for no seat.", hint="Leave classroom and seat out.")
    token = ports.Token(wanted.name, wanted.role, environment, wanted.expires)
    return shapes.Secret(token=shown.token(token), secret=house.tokens.create(token))


@router.delete("/tokens/{name}", tags=["tokens"], status_code=204, summary="Revoke a token", responses=problems.answers(401, 403, 404))
def revoke_token(asker: who.ItOnly, house: who.House, name: str) -> None:
    """It opens nothing from the next request on."""
    del asker
    if not house.tokens.revoke(name):
        raise errors.NotFound(f"There is no token `{name}`.", hint="`labctl token list` shows them.")
