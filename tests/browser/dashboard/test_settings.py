"""Users, roles, tokens, keys, variables, projects, the audit log and one's own account."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pyotp
import pytest
from playwright.sync_api import Page, expect
from tests.browser.dashboard.conftest import Dash
from tests.e2e.box import RunningBox

PASSWORD = "a sentence is good"
HEALTH = re.compile("The box is (not )?well|Something needs attention")
"""A busy machine need not be well."""


def fill(page: Page, **fields: str) -> None:
    dialog = page.get_by_role("dialog")
    for label, value in fields.items():
        dialog.get_by_label(label.replace("_", " "), exact=True).fill(value)


def confirm(page: Page, button: str) -> None:
    page.get_by_role("dialog").get_by_role("button", name=button, exact=True).click()


def secret_of(page: Page) -> str:
    """What a dialog shows this once."""
    shown = page.get_by_role("dialog").locator("pre").first
    expect(shown).to_be_visible()
    text = shown.inner_text()
    page.get_by_role("button", name="I have kept it").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    return text


def test_a_user_who_may_only_view_sees_that_and_is_refused(
    dash: Dash, arrive: Callable[..., Dash], box: RunningBox, admin: httpx.Client
) -> None:
    page = dash.open("/settings/users")
    page.get_by_role("button", name="Add user").click()
    dash.look("add-a-user")
    fill(page, Name="Not a name!")
    confirm(page, "Add user")
    expect(page.get_by_role("dialog").get_by_role("alert").first).to_be_visible()
    fill(page, Name="vera")
    page.get_by_role("dialog").get_by_label("Role", exact=True).click()
    page.get_by_role("option", name=re.compile("^Viewer")).click()
    confirm(page, "Add user")
    temporary = secret_of(page)
    expect(page.get_by_role("link", name="vera")).to_be_visible()
    dash.look("users")

    with httpx.Client(base_url=f"http://localhost:{box.port}", trust_env=False, timeout=60) as own:
        own.post("/api/v1/session", json={"username": "vera", "password": temporary}).raise_for_status()
        own.put("/api/v1/session/password", json={"present": temporary, "password": PASSWORD}).raise_for_status()
        vera = arrive(own)
    page = vera.open("/projects/default/variables")
    button = page.get_by_role("button", name="Add variable").first
    expect(button).to_have_attribute("aria-disabled", "true")
    button.hover()
    expect(page.get_by_role("tooltip")).to_contain_text("takes the role developer")
    button.click(force=True)
    expect(page.get_by_role("dialog")).to_have_count(0)
    navigation = page.get_by_role("navigation", name="Navigation")
    expect(navigation.get_by_role("link", name="Users")).to_have_count(0)
    expect(navigation.get_by_role("link", name="Audit log")).to_have_count(0)
    refused = page.evaluate(
        "() => fetch('/api/v1/projects/default/variables/X', {method: 'PUT', body: '{\"value\": \"1\"}',"
        " headers: {'content-type': 'application/json'}}).then(answer => answer.status)"
    )
    assert refused == 403
    page = vera.open("/settings/users")
    expect(page.get_by_role("alert")).to_contain_text("needs the role admin")
    vera.look("refused")


def test_roles_are_given_and_taken_and_a_user_is_deleted_by_name(dash: Dash, admin: httpx.Client) -> None:
    admin.post("/api/v1/users", json={"name": "ada", "password": PASSWORD}).raise_for_status()
    page = dash.open("/settings/users/ada")
    page.get_by_role("combobox", name="Project", exact=True).click()
    page.get_by_role("option", name="default", exact=True).click()
    page.get_by_role("button", name="Give a role").click()
    expect(page.get_by_role("button", name="Take the role away: default")).to_be_visible()
    assert admin.get("/api/v1/users/ada").json()["roles"] == {"default": "viewer"}
    page.get_by_label("Role: default").click()
    with page.expect_response(lambda response: response.request.method == "PUT") as given:
        page.get_by_role("option", name=re.compile("^Admin")).click()
    assert given.value.ok
    assert admin.get("/api/v1/users/ada").json()["roles"] == {"default": "admin"}
    dash.look("user")
    page.get_by_role("button", name="Take the role away: default").click()
    confirm(page, "Take the role away")
    expect(page.get_by_text("No role yet")).to_be_visible()
    page.get_by_role("button", name="Disable").click()
    confirm(page, "Disable")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Disabled")
    assert admin.get("/api/v1/users/ada").json()["disabled"] is True
    page.get_by_role("button", name="Delete the user").click()
    delete = page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True)
    expect(delete).to_be_disabled()
    page.get_by_label("Type ada to confirm").fill("adam")
    expect(delete).to_be_disabled()
    page.get_by_label("Type ada to confirm").fill("ada")
    dash.look("delete-by-name")
    delete.click()
    expect(page).to_have_url(dash.url("/settings/users"))
    assert admin.get("/api/v1/users/ada").status_code == 404


def test_the_last_owner_cannot_be_disabled_and_the_page_says_why(dash: Dash) -> None:
    page = dash.open("/settings/users/admin")
    page.get_by_role("button", name="Disable").click()
    confirm(page, "Disable")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("owner")


def test_a_token_is_shown_once_and_does_what_its_scopes_say(dash: Dash, box: RunningBox) -> None:
    page = dash.open("/account/tokens")
    dash.look("tokens-empty")
    page.get_by_role("button", name="New token").first.click()
    fill(page, What_it_is_for="ci")
    page.get_by_role("checkbox", name=re.compile("deploy")).click()
    dash.look("make-a-token")
    confirm(page, "Create")
    token = secret_of(page)
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"http://localhost:{box.port}", headers=headers, trust_env=False, timeout=60) as ci:
        assert ci.get("/api/v1/session").json()["scopes"] == ["read"]
    dash.look("tokens")
    page.get_by_role("button", name="Delete: ci").click()
    confirm(page, "Delete")
    expect(page.get_by_text("No tokens yet")).to_be_visible()
    with httpx.Client(base_url=f"http://localhost:{box.port}", headers=headers, trust_env=False, timeout=60) as ci:
        assert ci.get("/api/v1/session").status_code == 401


def test_variables_are_set_changed_rolled_back_imported_and_deleted(
    dash: Dash, admin: httpx.Client, project: str
) -> None:
    page = dash.open(f"/projects/{project}/variables")
    page.get_by_role("button", name="Add variable").first.click()
    fill(page, Name="GREETING", Value="<img src=x onerror=alert(1)> 🎉")
    page.get_by_role("switch", name="Secret").click()
    dash.look("set-a-variable")
    confirm(page, "Save")
    expect(page.get_by_text("<img src=x onerror=alert(1)> 🎉").filter(visible=True)).to_be_visible()
    page.get_by_role("button", name="Edit: GREETING").click()
    page.get_by_role("menuitem", name="Edit").click()
    fill(page, Value="hello")
    confirm(page, "Save")
    expect(page.get_by_role("cell", name="hello", exact=True)).to_be_visible()
    page.get_by_role("button", name="Edit: GREETING").click()
    page.get_by_role("menuitem", name="Earlier values").click()
    dash.look("earlier-values")
    page.get_by_role("button", name="Set this one again").click()
    expect(page.get_by_text("<img src=x onerror=alert(1)> 🎉").filter(visible=True)).to_be_visible()
    page.get_by_role("button", name="Import .env").click()
    page.get_by_label("The text of a .env file").fill("no equals sign")
    confirm(page, "Save")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("Nothing was changed")
    page.get_by_label("The text of a .env file").fill("# mine\nexport API_KEY='abc'\nREGION=eu\n")
    confirm(page, "Save")
    row = page.get_by_role("row", name=re.compile("API_KEY"))
    expect(row).to_contain_text("Secret")
    dash.look("variables")
    page.get_by_role("button", name="Edit: API_KEY").click()
    page.get_by_role("menuitem", name="Edit").click()
    save = page.get_by_role("dialog").get_by_role("button", name="Save", exact=True)
    expect(save).to_be_disabled()  # what was only looked at is not emptied
    fill(page, Value="def")
    save.click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Edit: GREETING").click()
    page.get_by_role("menuitem", name="Delete").click()
    confirm(page, "Delete")
    expect(page.get_by_role("dialog")).to_have_count(0)  # what is behind it cannot be seen by role
    expect(page.get_by_role("row", name=re.compile("GREETING"))).to_have_count(0)
    listed = admin.get(f"/api/v1/projects/{project}/variables").json()["items"]
    assert {each["name"]: each["secret"] for each in listed} == {"API_KEY": True, "REGION": True}


def test_api_keys_are_made_rotated_and_deleted(dash: Dash, admin: httpx.Client, project: str) -> None:
    page = dash.open(f"/projects/{project}/api-keys")
    dash.look("api-keys-empty")
    page.get_by_role("button", name="New key").first.click()
    fill(page, What_it_is_for="the shop", Workers="shop-*, cart", Methods="get", Rate_limit="100")
    dash.look("make-a-key")
    confirm(page, "Create")
    first = secret_of(page)
    (key,) = admin.get(f"/api/v1/projects/{project}/api-keys").json()["items"]
    assert key["workers"] == ["shop-*", "cart"]
    assert key["methods"] == ["GET"]
    assert key["rate_limit"]["limit"] == 100
    page.get_by_role("button", name="Edit: the shop").click()
    page.get_by_role("menuitem", name="Rotate").click()
    confirm(page, "Rotate")
    assert secret_of(page) != first
    expect(page.get_by_text("Two texts are good")).to_be_visible()
    dash.look("api-keys")
    page.get_by_role("button", name="Edit: the shop").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_label("Type the shop to confirm").fill("the shop")
    confirm(page, "Delete")
    expect(page.get_by_text("No API keys yet")).to_be_visible()


def test_a_project_is_made_bounded_and_deleted_with_its_progress(dash: Dash, admin: httpx.Client) -> None:
    page = dash.open("/settings/projects")
    page.get_by_role("button", name="New project").click()
    fill(page, Name="Shop!")
    confirm(page, "Create")
    expect(page.get_by_role("dialog").get_by_role("alert").first).to_be_visible()
    fill(page, Name="shop", Title="The shop")
    confirm(page, "Create")
    expect(page).to_have_url(dash.url("/projects/shop"))
    expect(page.get_by_role("button", name="Switch project: shop")).to_be_visible()
    dash.look("project-new")
    page = dash.open("/projects/shop/settings")
    page.get_by_role("button", name="Change the quotas").click()
    fill(page, Workers="3")
    confirm(page, "Save")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert admin.get("/api/v1/projects/shop").json()["quotas"]["workers"] == 3
    page.get_by_label("Title").fill("A better shop")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved").first).to_be_visible()
    dash.look("project-settings")
    page = dash.open("/settings/projects")
    expect(page.get_by_role("row", name=re.compile("shop"))).to_contain_text("A better shop")
    dash.look("projects")
    page = dash.open("/projects/shop/settings")
    page.get_by_role("button", name="Delete the project").click()
    page.get_by_label("Type shop to confirm").fill("shop")
    confirm(page, "Delete")
    expect(page).to_have_url(dash.url("/settings/projects"))
    expect(page.get_by_text("Deleting shop")).to_be_visible()
    expect(page.get_by_text("Done")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("shop"))).to_have_count(0)
    expect(page.get_by_role("button", name="Switch project: default")).to_be_visible()
    page = dash.open("/projects/none")
    expect(page.get_by_role("heading", name="There is no project none").first).to_be_visible()


def test_an_admin_of_a_project_adds_and_removes_members(visitor: Callable[[str], Dash], admin: httpx.Client) -> None:
    admin.post("/api/v1/users", json={"name": "mia", "password": PASSWORD}).raise_for_status()
    dash = visitor("admin")
    page = dash.open("/projects/default/settings")
    page.get_by_role("button", name="Add member").click()
    fill(page, User="nobody-of-this-name")
    confirm(page, "Add member")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
    fill(page, User="mia")
    confirm(page, "Add member")
    page.get_by_label("Role: mia").click()
    with page.expect_response(lambda response: response.request.method == "PUT") as given:
        page.get_by_role("option", name=re.compile("^Viewer")).click()
    assert given.value.ok
    assert admin.get("/api/v1/users/mia").json()["roles"] == {"default": "viewer"}
    dash.look("members")
    page.get_by_role("button", name="Remove from the project: mia").click()
    confirm(page, "Remove from the project")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("row", name=re.compile("mia"))).to_have_count(0)
    assert admin.get("/api/v1/users/mia").json()["roles"] == {}


def test_somebody_elses_change_is_not_overwritten(dash: Dash, admin: httpx.Client) -> None:
    page = dash.open("/projects/default/settings")
    admin.patch("/api/v1/projects/default", json={"title": "Theirs"}).raise_for_status()
    page.get_by_label("Title").fill("Mine")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("Somebody else has changed this")
    assert admin.get("/api/v1/projects/default").json()["title"] == "Theirs"
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved").first).to_be_visible()
    assert admin.get("/api/v1/projects/default").json()["title"] == "Mine"


def test_the_audit_log_is_filtered_by_its_address_and_exported(dash: Dash, admin: httpx.Client) -> None:
    admin.put("/api/v1/projects/default/variables/AUDITED", json={"value": "<b>1</b>"}).raise_for_status()
    page = dash.open("/projects/default/audit?since=never")
    expect(page.get_by_text("variable/AUDITED").first).to_be_visible()
    page = dash.open("/projects/default/audit?resource=variable/AUDITED")
    entries = page.get_by_role("list").filter(has_text="AUDITED").get_by_role("listitem")
    expect(entries.first).to_contain_text("set variable/AUDITED")
    entries.first.locator("summary").click()
    expect(entries.first).to_contain_text("variable.set")
    expect(entries.first).to_contain_text("<b>1</b>")
    dash.look("audit")
    page.get_by_label("Anywhere in the entry").fill("nobody wrote this")
    expect(page.get_by_text("No entry matches these filters")).to_be_visible()
    expect(page).to_have_url(re.compile("text=nobody"))
    dash.look("audit-nothing")
    page.get_by_role("button", name="Clear the filters").click()
    expect(page.get_by_text("variable/AUDITED").first).to_be_visible()
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="As CSV").click()
    assert "AUDITED" in download.value.path().read_text()
    page.get_by_role("button", name="Verify the chain").click()
    expect(page.get_by_text(re.compile("The chain is whole"))).to_be_visible()


@pytest.mark.parametrize("role", ["developer"])
def test_ones_own_account_has_password_second_factor_and_sessions(visitor: Callable[[str], Dash], role: str) -> None:
    dash = visitor(role)
    page = dash.open("/account")
    dash.look("account")
    page.get_by_role("button", name="Set it up").click()
    page.get_by_role("dialog").get_by_label("Password", exact=True).fill("wrong wrong wrong")
    confirm(page, "Next")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
    page.get_by_role("dialog").get_by_label("Password", exact=True).fill(f"{PASSWORD}!")
    confirm(page, "Next")
    expect(page.get_by_role("dialog").get_by_role("img")).to_be_visible()
    dash.look("second-factor-set-up")
    secret = page.get_by_role("dialog").locator("pre").inner_text()
    page.get_by_label("Code").fill(pyotp.TOTP(secret).now())
    confirm(page, "Turn it on")
    expect(page.get_by_role("dialog").locator("pre").first).to_have_text(re.compile(r"^\s*\S+(\s+\S+){9}\s*$"))
    assert len(secret_of(page).split()) == 10
    expect(page.get_by_text("10 recovery codes left")).to_be_visible()
    page.get_by_role("button", name="Turn it off").click()
    page.get_by_role("dialog").get_by_label("Password", exact=True).fill(f"{PASSWORD}!")
    confirm(page, "Turn it off")
    expect(page.get_by_role("button", name="Set it up")).to_be_visible()
    expect(page.get_by_text("This one")).to_be_visible()


def test_the_overview_says_how_the_box_is_and_what_was_called(
    dash: Dash, admin: httpx.Client, box: RunningBox, visitor: Callable[[str], Dash]
) -> None:
    """A worker of its own: there is no telling what else was deployed and called by then."""
    files = {"main.ts": "export default () => new Response('seen');\n"}
    admin.put("/api/v1/projects/default/workers/seen", json={"files": files}).raise_for_status()
    for _ in range(30):
        box.run("seen").raise_for_status()
    page = dash.open("/projects/default?period=1h")
    expect(page.get_by_role("heading", name=HEALTH)).to_be_visible()
    expect(page.get_by_role("table", name="Most called workers").get_by_role("link", name="seen")).to_be_visible()
    expect(page.get_by_role("table", name="Latest deployments").get_by_role("link", name="seen")).to_be_visible()
    expect(page.get_by_role("img", name="Traffic")).to_be_visible()
    dash.look("overview")
    other = visitor("viewer")
    page = other.open("/projects/default")
    expect(page.get_by_role("heading", name=HEALTH)).to_be_visible()
    expect(page.get_by_role("heading", name="Activity")).to_have_count(0)
    other.look("overview-of-a-viewer")


def test_the_system_page_has_every_check_and_the_key(dash: Dash) -> None:
    page = dash.open("/settings/system")
    checks = page.get_by_role("table", name="Checks")
    expect(checks.get_by_role("row", name=re.compile("^Disk"))).to_contain_text("free")
    expect(checks.get_by_role("row", name=re.compile("^CPU"))).to_contain_text("processor")
    page.evaluate("() => localStorage.setItem('v8box.language', 'id')")
    dash.open("/settings/system")
    found = page.get_by_role("table", name="Pemeriksaan").get_by_role("row", name=re.compile("^Disk"))
    expect(found).to_contain_text(re.compile("dari .* kosong"))
    page.evaluate("() => localStorage.setItem('v8box.language', 'en')")
    dash.open("/settings/system")
    expect(page.get_by_text("from data/keys/master.key")).to_be_visible()
    dash.look("system")
    before = page.locator("dd").filter(has_text="from data/keys").inner_text()
    page.get_by_role("button", name="Rotate the master key").click()
    confirm(page, "Rotate the master key")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("dd").filter(has_text="from data/keys")).not_to_have_text(before)


def test_a_long_list_is_drawn_as_far_as_it_is_seen(dash: Dash, admin: httpx.Client) -> None:
    admin.post("/api/v1/projects", json={"name": "long"}).raise_for_status()
    variables = {f"NAME_{number:03}": "x" for number in range(250)}
    admin.post("/api/v1/projects/long/variables", json={"variables": variables}).raise_for_status()
    page = dash.open("/projects/long/variables")
    page.get_by_label("Find a variable").fill("name_249")
    expect(page.get_by_role("row", name=re.compile("NAME_249"))).to_be_visible()  # of the last page
    page.get_by_label("Find a variable").fill("name_250")
    expect(page.get_by_text("Nothing matches.")).to_be_visible()
    page = dash.open("/projects/long/variables")
    for loaded in (200, 250):
        page.get_by_role("button", name="Load more").click()
        expect(page.get_by_role("table")).to_have_attribute("aria-rowcount", str(loaded + 1))
    expect(page.get_by_role("button", name="Load more")).to_have_count(0)
    assert page.get_by_role("row").count() < 80
    page.get_by_role("button", name="Name", exact=True).click()
    page.get_by_role("button", name="Name", exact=True).click()
    expect(page.get_by_role("row").nth(1)).to_contain_text("NAME_249")
    page.get_by_role("table").locator("..").evaluate("box => box.scrollTo(0, box.scrollHeight)")
    expect(page.get_by_text("NAME_000")).to_be_visible()
    assert page.get_by_role("row").count() < 80
