import httpx
from fastapi import APIRouter, FastAPI, Request

from ltc_chassis.testing_routes import share_routes

common = APIRouter()


@common.get("/whose")
async def whose(request: Request) -> str:
    return str(request.app.state.name)


def app_named(name: str) -> FastAPI:
    own = APIRouter()

    @own.get("/own")
    async def hold() -> str:
        return name

    app = FastAPI(title="shares", openapi_url=None)
    app.state.name = name
    app.include_router(common)
    app.include_router(own)
    return share_routes(app)


async def test_apps_that_share_what_was_made_of_a_router_answer_for_themselves() -> None:
    first, second = app_named("first"), app_named("second")
    assert [one is two for one, two in zip(first.router.routes, second.router.routes, strict=True)] == [True, False]
    for app, name in ((first, "first"), (second, "second"), (first, "first")):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
            assert [(await client.get(path)).json() for path in ("/whose", "/own")] == [name, name]
