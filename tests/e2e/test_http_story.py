"""The same story as `test_cli_story`, with nothing but HTTP, as somebody would tell it with curl."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from typing import Any

import httpx
from tests.e2e.box import RunningBox

PASSWORD = "correct-horse-battery"
SECRET = "sk-live-0123456789abcdef"
SECOND = """export default function ({ env }: V8Box.Context) {
  return { word: "two", token: (env.API_TOKEN ?? "").length };
}
"""


def archive(**files: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as zipped:
        for name, text in files.items():
            zipped.writestr(name.replace("__", "."), text)
    return made.getvalue()


def sure(response: httpx.Response, status: int = 200) -> Any:
    assert response.status_code == status, (response.request.url, response.text)
    return response.json() if response.content else None


def test_the_story_of_a_worker(own_box: RunningBox) -> None:
    own_box.wait_ready()
    url = f"http://localhost:{own_box.port}"
    worker = "/api/v1/projects/default/workers/greet"
    with own_box.admin.stream("GET", "/api/v1/session") as found:
        assert found.status_code == 200

    # a user, made by who runs the box; she signs in and makes a token
    made = own_box.admin.post("/api/v1/users", json={"name": "ada", "password": PASSWORD, "roles": {"*": "admin"}})
    assert "password" not in {name for name, value in sure(made, 201).items() if value == PASSWORD}
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as cookies:
        sure(cookies.get("/api/v1/session"), 401)
        sure(cookies.post("/api/v1/session", json={"username": "ada", "password": PASSWORD}), 201)
        scopes = ["read", "deploy", "secrets", "admin"]
        token = sure(cookies.post("/api/v1/tokens", json={"label": "curl", "scopes": scopes}), 201)["token"]
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as ada:
        # to staging as GitHub Actions does it, and on as the same bytes
        first = archive(main__ts="export default { fetch: () => new Response('one') };\n")
        form = {"project": "default", "environment": "staging", "worker": "greet", "message": "the first"}
        deployed = sure(ada.post("/api/deploy", data=form, files={"file": ("greet.zip", first)}))
        assert deployed["workers"][0]["number"] == 1
        assert own_box.run("greet@staging").text == "one"
        assert own_box.run("greet").status_code == 404
        sure(ada.post(f"{worker}/deployments/production/promote", json={"from": "staging"}))
        assert own_box.run("greet").text == "one"

        # the next version takes a tenth of the requests; with the ETag of a state that is gone nobody changes it
        second = archive(main__ts=SECOND)
        sure(ada.post(f"{worker}/versions?environment=staging", files={"file": ("greet.zip", second)}), 201)
        etag = ada.get(f"{worker}/deployments/production").headers["etag"]
        split = {"versions": [{"version": "v1", "weight": 90}, {"version": "v2", "weight": 10}]}
        sure(ada.put(f"{worker}/deployments/production", json=split, headers={"if-match": etag}))
        sure(ada.put(f"{worker}/deployments/production", json=split, headers={"if-match": etag}), 412)
        seen = Counter("one" if own_box.run("greet").text == "one" else "two" for _ in range(300))
        assert 0 < seen["two"] < seen["one"]
        sure(ada.post(f"{worker}/deployments/production/rollback", json={}))
        assert {own_box.run("greet").text for _ in range(50)} == {"one"}
        sure(ada.post(f"{worker}/deployments/production/promote", json={"from": "staging"}))

        # a secret
        variable = "/api/v1/projects/default/variables/API_TOKEN?worker=greet"
        assert sure(ada.put(variable, json={"value": SECRET, "secret": True}), 201)["value"] is None
        assert own_box.run("greet").json()["data"]["token"] == len(SECRET)

        # only who has a key may call, and not often
        guarded = archive(main__ts=SECOND, v8box__toml='[auth]\napi_key = "required"\n')
        sure(ada.post(f"{worker}/versions?environment=production", files={"file": ("greet.zip", guarded)}), 201)
        assert own_box.run("greet").status_code == 401
        wanted = {"name": "a customer", "workers": ["greet"], "rate_limit": {"limit": 3, "window_seconds": 3_600}}
        key = sure(ada.post("/api/v1/projects/default/api-keys", json=wanted), 201)["key"]
        answers = [own_box.run("greet", headers={"x-api-key": key}).status_code for _ in range(4)]
        assert answers == [200, 200, 200, 429]

        # who did what
        entries = sure(ada.get("/api/v1/audit?limit=200"))["items"]
        actions = {each["action"] for each in entries if each["actor"]["kind"] == "token"}
        done = {f"deployment.{what}" for what in ("deployed", "promoted", "split", "rolled_back")}
        assert done | {"variable.set", "api_key.create"} <= actions, actions
        assert sure(ada.get("/api/v1/audit/verify"))["ok"] is True
        exported = ada.get("/api/v1/audit/export").text
        for hidden in (SECRET, PASSWORD, key, token):
            assert hidden not in exported
