"""Built artifacts: what they hold, how large they are, and that they run as Lambda would run them."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer

from infra.artifacts.local import TOOLS, emulator, prepare
from infra.artifacts.lock import compile_lock
from infra.artifacts.make import BuildError, Sizes, check_limits, copy_code, write_zip
from infra.artifacts.plan import ARTIFACTS, ROOT, UNZIPPED_LIMIT, ZIPPED_LIMIT, Artifact

WRITE_KEY = "wk_artifact"
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the runtime interface emulator is a Linux program")


def bare_python() -> str:
    """The interpreter below the virtual environment: it sees none of our packages."""
    return str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")


def assembled(name: str, folder: Path) -> Path:
    """An artifact for this machine: the packages that set-up fetched, and today's code."""
    prepare()
    target = folder / name
    shutil.copytree(TOOLS / "packages" / name, target, copy_function=os.link)
    copy_code(ARTIFACTS[name], target)
    return target


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def runtime(artifact: Path, environment: dict[str, str]) -> Iterator[str]:
    """The artifact under the runtime interface emulator; yields the address that invocations are posted to."""
    front, back = free_port(), free_port()
    command = [
        str(emulator()),
        "--log-level",
        "error",
        "--runtime-interface-emulator-address",
        f"127.0.0.1:{front}",
        "--runtime-api-address",
        f"127.0.0.1:{back}",
        bare_python(),
        "-S",
        "-m",
        "awslambdaric",
        "handler.handler",
    ]
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{artifact}{os.pathsep}{TOOLS / 'rie'}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": artifact.name,
        "POWERTOOLS_SERVICE_NAME": "regulars",
        "POWERTOOLS_METRICS_NAMESPACE": "Regulars",
        "LOG_LEVEL": "INFO",
        **environment,
    }
    process = subprocess.Popen(command, cwd=artifact, env=variables, stdout=subprocess.DEVNULL)  # noqa: S603
    try:
        await_listening(front)
        yield f"http://127.0.0.1:{front}/2015-03-31/functions/function/invocations"
    finally:
        process.terminate()
        process.wait(timeout=10)


def await_listening(port: int, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)  # the emulator opens its port a moment after it is started
        else:
            return


def invoke(address: str, event: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(address, data=json.dumps(event).encode())  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        reply: dict[str, Any] = json.loads(answer.read())
    return reply


def track_call(write_key: str) -> dict[str, Any]:
    """An HTTP API event (payload 2.0) of one track call."""
    body = {"anonymousId": "a-1", "event": "Product Viewed", "messageId": "m-1", "properties": {"product_id": "p1"}}
    return {
        "version": "2.0",
        "routeKey": "POST /v1/{call}",
        "rawPath": "/v1/track",
        "rawQueryString": "",
        "headers": {
            "content-type": "application/json",
            "authorization": "Basic " + b64encode(f"{write_key}:".encode()).decode(),
            "user-agent": "test",
        },
        "pathParameters": {"call": "track"},
        "requestContext": {
            "requestId": "r-1",
            "timeEpoch": 1_795_305_600_000,
            "http": {"method": "POST", "path": "/v1/track", "sourceIp": "203.0.113.9", "userAgent": "test"},
        },
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }


@pytest.fixture
def queue() -> Iterator[tuple[str, str, Any]]:
    """A queue on a moto server on loopback: the server's address, the queue's URL as a function gets it, a client."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        client = boto3.client("sqs", endpoint_url=address)
        yield address, client.create_queue(QueueName="events")["QueueUrl"], client
    finally:
        server.stop()


@linux_only
@pytest.mark.slow
def test_the_built_collect_artifact_serves_http_events_under_the_runtime_interface_emulator(
    tmp_path: Path, queue: tuple[str, str, Any]
) -> None:
    """A wrong key is refused; a good call is answered 200 and is in the queue. The artifact sees no other packages."""
    endpoint, queue_url, client = queue
    environment = {
        "AWS_ENDPOINT_URL": endpoint,
        "EVENTS_QUEUE_URL": queue_url,
        "WRITE_KEYS": f"shop={WRITE_KEY}",
        "ALLOWED_ORIGINS": "*",
    }
    with runtime(assembled("collect", tmp_path), environment) as address:
        refused = invoke(address, track_call("wk_wrong"))
        accepted = invoke(address, track_call(WRITE_KEY))

    assert refused["statusCode"] == 401, refused
    assert accepted["statusCode"] == 200, accepted
    (message,) = client.receive_message(QueueUrl=queue_url)["Messages"]
    assert [event["message_id"] for event in json.loads(message["Body"])["events"]] == ["m-1"]


@linux_only
@pytest.mark.slow
def test_what_trimming_leaves_of_pyarrow_writes_and_reads_parquet(tmp_path: Path) -> None:
    """The lake's own codec on the trimmed packages of ingest, on an interpreter that sees nothing else."""
    folder = assembled("ingest", tmp_path)
    script = (
        "import io, pyarrow as pa, pyarrow.parquet as pq, regulars.adapters.parquet\n"
        "table = pa.table({'n': [1, 2], 's': ['a', None]})\n"
        "buffer = io.BytesIO(); pq.write_table(table, buffer, compression='zstd')\n"
        "assert pq.read_table(io.BytesIO(buffer.getvalue())).to_pylist() == table.to_pylist()\n"
        "import sys; assert 'numpy' not in sys.modules\n"
        # Arrow's threads now and then abort an interpreter that ends with them still there; Lambda's does not end.
        "import os; os._exit(0)\n"
    )
    subprocess.run(  # noqa: S603
        [bare_python(), "-S", "-c", script], check=True, cwd=folder, env={"PYTHONPATH": str(folder), "PATH": ""}
    )
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < UNZIPPED_LIMIT


def test_every_function_of_the_template_has_an_artifact_plan_and_a_lock() -> None:
    """The template's CodeUri, the plan and the lock files name the same functions."""

    class Loader(yaml.SafeLoader):
        """Reads CloudFormation's short forms (!Ref and the like) as plain values."""

    Loader.add_multi_constructor("!", lambda _loader, suffix, node: f"!{suffix} {node.value}")
    template = yaml.load((ROOT / "infra" / "template.yaml").read_text(), Loader)  # noqa: S506 - a SafeLoader
    functions = [r for r in template["Resources"].values() if r["Type"] == "AWS::Serverless::Function"]
    assert {Path(f["Properties"]["CodeUri"]).name for f in functions} == set(ARTIFACTS)
    assert template["Globals"]["Function"]["Runtime"] == "python3.14"
    assert all(artifact.lock.is_file() for artifact in ARTIFACTS.values())


def test_lock_files_pin_every_package_with_hashes_and_name_no_index() -> None:
    for lock in sorted((ROOT / "requirements").rglob("*.txt")):
        text = lock.read_text()
        assert "://" not in text, lock
        assert "--index-url" not in text, lock
        assert "--find-links" not in text, lock
        requirements = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert requirements, lock
        for requirement in requirements:
            assert "==" in requirement, (lock, requirement)
            assert requirement.endswith("\\"), (lock, requirement)  # a hash follows


def test_functions_are_deployed_with_the_versions_that_are_tested() -> None:
    def pins(lock: Path) -> set[str]:
        return {line.split()[0] for line in lock.read_text().splitlines() if "==" in line and line[0] != " "}

    tested = pins(ROOT / "requirements" / "dev.txt")
    for artifact in ARTIFACTS.values():
        assert pins(artifact.lock) <= tested, artifact.name


def test_zipping_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    """Neither file times nor the order of creation reach the zip."""
    for run, names in (("one", ("a.py", "b.py")), ("two", ("b.py", "a.py"))):
        for age, name in enumerate(names):
            file = tmp_path / run / "pkg" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"# {name}\n")
            os.utime(file, (1_700_000_000 + age * 1000 + len(run), 1_700_000_000))
        write_zip(tmp_path / run, tmp_path / f"{run}.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.namelist() == ["pkg/a.py", "pkg/b.py"]


def test_an_artifact_over_a_limit_of_lambda_fails_the_build() -> None:
    check_limits("fits", Sizes(unzipped=UNZIPPED_LIMIT, zipped=ZIPPED_LIMIT))
    with pytest.raises(BuildError, match=r"large: .* zipped"):
        check_limits("large", Sizes(unzipped=1, zipped=ZIPPED_LIMIT + 1))
    with pytest.raises(BuildError, match=r"large: .* unzipped"):
        check_limits("large", Sizes(unzipped=UNZIPPED_LIMIT + 1, zipped=1))


def test_a_function_that_does_not_exist_fails_the_build(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="functions/absent"):
        copy_code(Artifact(name="absent", packages=(), services=()), tmp_path)


def test_the_program_travels_only_with_functions_that_read_it(tmp_path: Path) -> None:
    root = tmp_path / "checkout"
    for folder in ("functions/tick", "functions/refresh", "shared/regulars", "program"):
        (root / folder).mkdir(parents=True)
    for function in ("tick", "refresh"):
        (root / "functions" / function / "handler.py").touch()
    (root / "program" / "segments.yaml").touch()
    for name in ("tick", "refresh"):
        copy_code(ARTIFACTS[name], tmp_path / name, root)
    assert not (tmp_path / "tick" / "program").exists()
    assert (tmp_path / "refresh" / "program" / "segments.yaml").is_file()


def test_making_a_lock_of_a_package_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        compile_lock(str(tmp_path / "lock.txt"), "--offline", packages=("not a requirement",))
