"""The box's own life: an empty folder, saving, redeploys under load, stopping, being killed, starting twice."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from pathlib import Path

import httpx
import pytest
from tests.e2e.box import START_SECONDS, WAIT_SECONDS, RunningBox


def wait_gone(pids: set[int]) -> None:
    """Waits until none of the processes exists; the kernel tells through a pidfd."""
    import select

    for pid in pids:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            assert select.select([fd], [], [], WAIT_SECONDS)[0], f"process {pid} is still there"
        finally:
            os.close(fd)


def test_an_empty_folder_is_filled_and_every_example_runs(own_box: RunningBox) -> None:
    box = own_box.wait_ready()
    first, second = box.run("hello?name=Ana").json(), box.run("hello", "POST", json={"name": "Budi"}).json()
    assert first["success"] is True
    assert second["data"]["count"] == first["data"]["count"] + 1
    assert box.run("echo/some/path?x=1").json() == {"method": "GET", "path": "/some/path", "query": {"x": "1"}}
    assert box.run("echo", "POST", content=b"any bytes").content == b"any bytes"
    names = [row["name"] for row in box.run("query").json()["data"]["greetings"]]
    assert {"Ana", "Budi"} <= set(names)
    photo = os.urandom(300_000)
    assert box.run("upload/photo.jpg", "PUT", content=photo).status_code == 201
    assert box.run("upload/photo.jpg").content == photo
    made = box.run("api/notes", "POST", json={"text": "buy milk"})
    assert made.status_code == 201
    assert "buy milk" in box.run("api/notes").text


def test_data_survives_a_kill_and_no_process_is_left(own_box: RunningBox) -> None:
    box = own_box.wait_ready()
    box.run("hello?name=before")
    children = box.descendants()
    assert len(children) >= 4  # nursery, Valkey, blanks, a worker
    box.process.kill()
    box.process.wait()
    wait_gone(children)
    again = RunningBox(box.directory).wait_ready()
    try:
        assert "before" in again.run("query").text
        assert again.run("hello").json()["data"]["count"] >= 1
    finally:
        assert again.stop() == 0


def test_what_the_box_keeps_is_nobody_elses_to_read(own_box: RunningBox) -> None:
    box = own_box.wait_ready()
    box.run("hello?name=Ana")
    box.run("upload/photo.jpg", "PUT", content=b"photo")
    data = box.directory / "data"
    assert box.stop() == 0
    kept = [data, *data.rglob("*")]
    assert {"catalog.db", "databases", "objects", "valkey", "logs"} <= {path.name for path in data.iterdir()}
    assert list((data / "logs").glob("runs-*.db"))
    packages = data / "cache" / "deno"  # public files, behind the closed folder
    open_to_others = [
        path for path in kept if not path.is_symlink() and path.stat().st_mode & 0o077 and packages not in path.parents
    ]
    assert open_to_others == []
    assert (box.directory / "functions" / "hello.ts").stat().st_mode & 0o077 == 0o044  # the user's own, as any file


def test_no_secret_is_ever_printed_or_logged(tmp_path: Path) -> None:
    secrets = {
        "ADMIN_PASSWORD": "hunter2-admin",
        "CLOUDFLARE_TOKEN": "hunter2-cloud",
        "LIBSQL_URL": "http://127.0.0.1:1?authToken=hunter2-query",
        "LIBSQL_AUTH_TOKEN": "hunter2-auth",
        "S3_ENDPOINT": "http://127.0.0.1:1",
        "S3_ACCESS_KEY": "hunter2-access",
        "S3_SECRET_KEY": "hunter2-secret",
        "VALKEY_URL": "redis://u:hunter2-valkey@127.0.0.1:1/0",  # nobody listens there
    }
    box = RunningBox(tmp_path / "box", secrets)
    try:
        box.wait_ready()
        box.wait_line("! CLOUDFLARE_TOKEN is set, but this version")
        (box.directory / "functions" / "nosy.ts").write_text(
            "export default async ({ env, db, cache, s3 }) => {"
            "  const tried = [cache.get('x'), db.execute('SELECT 1'), s3.get('x')];"
            "  const failed = (await Promise.allSettled(tried)).map(({ reason }) => String(reason.stack));"
            "  console.log(failed); return { env, all: Deno.env.toObject(), failed }; };"
        )
        box.wait_line("nosy is live")
        assert len(set(box.run("nosy").json()["data"]["failed"])) == 3
        answers = [box.run("nosy").text, box.run("hello").text, box.client.get("/health").text, box.run("none").text]
    finally:
        assert box.stop() == 0
    logs = [path.read_bytes().decode("latin-1") for path in (box.directory / "data" / "logs").iterdir()]
    assert any("nosy" in told for told in logs)  # what is looked at has it
    for told in (*answers, *box.lines, *logs):
        assert "hunter2" not in told


def test_under_a_domain_the_ready_line_names_hosts_that_answer(tmp_path: Path) -> None:
    box = RunningBox(tmp_path / "box", {"DOMAIN": "example.com"})
    try:
        line = box.wait_line("V8Box is ready", seconds=START_SECONDS)
        found = re.search(r"http://([\w.]+):(\d+)/run/<worker>   health: http://([\w.]+):\d+/health", line)
        assert found is not None
        assert int(found[2]) == box.port
        assert box.client.get("/run/echo", headers={"Host": found[1]}).status_code == 200
        assert box.client.get("/health", headers={"Host": found[3]}).status_code == 200
        assert box.client.get("/run/echo").status_code == 404
    finally:
        box.stop()


def test_without_the_process_that_starts_sandboxes_the_box_ends(own_box: RunningBox) -> None:
    box = own_box.wait_ready()
    children = box.descendants()
    (nursery,) = (pid for pid in children if b"v8box.sandbox.nursery" in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(nursery, signal.SIGKILL)
    box.wait_line("CRITICAL v8box.app.box: the process that starts sandboxes ended")
    assert box.exit_code() == 1
    wait_gone(children)


def test_a_second_box_on_the_same_data_is_refused(own_box: RunningBox) -> None:
    box = own_box.wait_ready()
    second = RunningBox(box.directory)
    second.wait_line(rf"Another box \(process {box.process.pid}\)")
    assert second.exit_code() == 1
    second.stop()
    assert box.run("echo").status_code == 200


def test_a_port_in_use_is_said_so(own_box: RunningBox, tmp_path: Path) -> None:
    box = own_box.wait_ready()
    second = RunningBox(tmp_path / "other", {"PORT": str(box.port)})
    second.wait_line("another program listens there")
    assert second.exit_code() == 1
    second.stop()


def test_faults_of_the_settings_are_reported_together(tmp_path: Path) -> None:
    box = RunningBox(tmp_path, {"PORT": "many", "V8BOX_BLANKS": "-1"})
    box.wait_line("V8BOX_BLANKS")
    assert any("PORT" in line for line in box.lines)
    assert box.exit_code() == 1
    box.stop()


def test_a_running_request_finishes_when_the_box_is_asked_to_stop(own_box: RunningBox) -> None:
    box = own_box.wait_ready()
    slow = box.directory / "functions" / "slow.ts"
    slow.write_text(
        "export default async ({ log }) => { log('begun'); await new Promise((r) => setTimeout(r, 500)); return 1; };"
    )
    box.wait_line("slow is live")
    statuses: list[int] = []
    thread = threading.Thread(target=lambda: statuses.append(box.run("slow").status_code))
    thread.start()
    box.wait_line(r"slow \| begun")
    children = box.descendants()
    assert box.stop() == 0
    thread.join()
    assert statuses == [200]
    wait_gone(children)


def test_a_second_signal_ends_the_box_at_once(own_box: RunningBox) -> None:
    box = own_box.wait_ready()
    (box.directory / "functions" / "stuck.ts").write_text(
        "export default async ({ log }) => { log('begun'); await new Promise(() => {}); };"
    )
    box.wait_line("stuck is live")

    def call() -> None:
        with pytest.raises(httpx.HTTPError):
            box.run("stuck")

    thread = threading.Thread(target=call)
    thread.start()
    box.wait_line(r"stuck \| begun")
    children = box.descendants()
    box.process.send_signal(signal.SIGINT)
    box.wait_line("stopping: finishing running requests")
    box.process.send_signal(signal.SIGINT)
    assert box.exit_code() == 130
    thread.join()
    wait_gone(children)


def test_saving_goes_live_failing_keeps_the_old_and_removing_removes(own_box: RunningBox) -> None:
    box = own_box.wait_ready()
    worker = box.directory / "functions" / "saved.ts"
    worker.write_text("export default () => 1;")
    box.wait_line("saved is live")
    assert box.run("saved").json()["data"] == 1
    since = box.mark()
    worker.write_text("export default () => ;")
    box.wait_line(r"saved was not deployed: functions/saved\.ts:1:", since)
    assert box.run("saved").json()["data"] == 1
    since = box.mark()
    worker.write_text("export default () => 2;")
    box.wait_line("saved is live", since)
    assert box.run("saved").json()["data"] == 2
    since = box.mark()
    worker.unlink()
    box.wait_line("saved was removed", since)
    assert box.run("saved").status_code == 404


def test_redeploys_under_load_lose_no_request(own_box: RunningBox) -> None:
    box = own_box.wait_ready()
    worker = box.directory / "functions" / "changing.ts"
    worker.write_text("export default () => 0;")
    box.wait_line("changing is live")
    stop, first, last = threading.Event(), threading.Event(), threading.Event()
    answers: list[tuple[int, int]] = []

    def load() -> None:
        with httpx.Client(timeout=WAIT_SECONDS, trust_env=False) as client:
            while not stop.is_set():
                response = client.get(f"http://localhost:{box.port}/run/changing")
                answers.append((response.status_code, response.json().get("data", -1)))
                first.set()
                if answers[-1][1] == 5:
                    last.set()

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert first.wait(WAIT_SECONDS)
    for number in range(1, 6):
        since = box.mark()
        worker.write_text(f"export default async () => {{ await null; return {number}; }};")
        box.wait_line("changing is live", since)
    answered = last.wait(WAIT_SECONDS)
    stop.set()
    for thread in threads:
        thread.join()
    assert answered
    assert {status for status, _ in answers} == {200}
    assert {number for _, number in answers} >= {0, 5}


def test_the_doctor_names_the_rungs(tmp_path: Path) -> None:
    import sys

    command = [str(Path(sys.executable).parent / "v8box"), "doctor", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, "COLUMNS": "200"})
    assert done.returncode == 0, done.stdout
    for rung in ("no_new_privs", "Landlock", "seccomp", "cgroup", "disk", "deno", "valkey", "sandbox"):
        assert rung in done.stdout
