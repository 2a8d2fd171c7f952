"""What a stranger may send to `orchard serve`: requests made from its OpenAPI document, and worse.

`scripts/test` runs it. By hand: ORCHARD_TEST_PROGRAM=target/debug/orchard python3 -m unittest discover -s tests/hostile
(the program built with `--features services`; packages in requirements.txt).
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from urllib.parse import urlsplit

PROGRAM = os.environ["ORCHARD_TEST_PROGRAM"]
CAPTURES = Path(__file__).parents[1] / "data"
# Requests are made for so long; --long makes ten times as many.
SECONDS = 300 if os.environ.get("ORCHARD_TEST_LONG") else 30


class HostileInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        command = [PROGRAM, "serve", "--state", f"{cls.folder.name}/state", "--captures", str(CAPTURES)]
        cls.log = open(f"{cls.folder.name}/log", "w+", encoding="utf-8")
        cls.served = subprocess.Popen(
            [*command, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=cls.log, text=True
        )
        cls.url = cls.served.stdout.readline().strip()
        cls.host, cls.port = urlsplit(cls.url).hostname, urlsplit(cls.url).port

    @classmethod
    def tearDownClass(cls):
        cls.served.send_signal(signal.SIGINT)
        status = cls.served.wait(30)
        cls.log.seek(0)
        said = cls.log.read()
        cls.log.close()
        cls.served.stdout.close()
        cls.folder.cleanup()
        if status != 130 or "panicked" in said:
            raise AssertionError(f"serve ended with {status}, and said:\n{said}")

    def post(self, path, body, content_type="application/json"):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            connection.request("POST", path, body, {"Content-Type": content_type})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def test_requests_made_from_the_document_get_the_answers_that_it_names(self):
        checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
        command = [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run"]
        options = ["--checks", checks, "--max-time", str(SECONDS), "--suppress-health-check", "all", "--no-color"]
        done = subprocess.run(
            [*command, f"{self.url}/openapi.json", *options], capture_output=True, text=True,
            timeout=SECONDS + 240, cwd=self.folder.name,
        )
        self.assertEqual(done.returncode, 0, done.stdout[-8000:] + done.stderr[-2000:])

    def test_a_body_of_100_mb_is_refused_and_not_kept(self):
        with socket.create_connection((self.host, self.port), timeout=30) as stream:
            head = f"POST /api/users HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nContent-Type: application/json\r\n"
            stream.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
            chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
            for _ in range(100):
                stream.sendall(chunk)
            stream.sendall(b"0\r\n\r\n")
            self.assertEqual(stream.recv(65536)[:12], b"HTTP/1.1 413")
        # Linux keeps the most that a process ever held.
        status = Path(f"/proc/{self.served.pid}/status")
        if status.exists():
            peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
            self.assertLess(int(peak.split()[1]), 300_000, peak)

    def test_what_no_message_can_hold_is_refused_with_its_place(self):
        for body, status, place in [
            (b"[" * 1_000_000, 400, None),
            (b'{"email":"a@b.c","name":' + b"[" * 1_000_000, 400, None),
            (b'{"email":"a@b.c","name":"a\\u0000b"}', 400, "/name"),
            (b'{"email":"a@b.c","name":"\\ud800"}', 400, None),
            (b'{"email":"a@b.c","name":"a","name":"b"}', 400, "/name"),
            (b'{"email":1,"name":true}', 400, "/email"),
            (b'{"email":"a@b.c","name":"a","nmae":"b"}', 400, "/nmae"),
            (b"\xff\xfe{}", 400, None),
            (b"", 400, None),
        ]:
            with self.subTest(body=body[:60]):
                found, problem = self.post("/api/users", body)
                self.assertEqual(found, status, problem)
                self.assertEqual(problem["status"], status)
                pointers = [one["pointer"] for one in problem.get("pointers") or []]
                self.assertTrue(place is None or place in pointers, problem)

    def test_words_of_other_languages_are_text(self):
        for text in ["'; DROP TABLE user; --", '" OR 1=1', "$.a[?(@.b)]", "%00", "{{7*7}}", "../../etc/passwd"]:
            status, accepted = self.post("/api/users", json.dumps({"email": "x@example.org", "name": text}))
            self.assertEqual(status, 202, accepted)
            connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
            connection.request("GET", accepted["status"] + "?wait=10s")
            view = json.loads(connection.getresponse().read())
            connection.close()
            self.assertIn(view["state"], ("completed", "failed"), view)
        status, problem = self.post("/api/users", "a=b", "application/x-www-form-urlencoded")
        self.assertEqual(status, 415, problem)

    def test_files_outside_the_folder_are_refused_by_name(self):
        for name in ["../Cargo.toml", "/etc/passwd", "a/../../b", "usdm\u0000.zst", "none.csv", ""]:
            body = json.dumps({"files": [name], "strategies": [{"strategy": "apple"}]})
            status, answer = self.post("/api/replays", body)
            self.assertEqual(status, 400, f"{name!r}: {answer}")
            self.assertIn("/files/0", [one["pointer"] for one in answer["pointers"]])


if __name__ == "__main__":
    unittest.main()
