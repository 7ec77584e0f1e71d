"""Uses everything that the image promises; prints one line when all of it works."""

import json
import sqlite3
import ssl
import tempfile
import threading
from datetime import datetime
from zoneinfo import ZoneInfo

import httpx
import jinja2
import requests
import socks

page = jinja2.Template("{% for x in items %}<li>{{ x|e }}</li>{% endfor %}").render(items=["a", "<b>"])
assert page == "<li>a</li><li>&lt;b&gt;</li>", page

authorities = ssl.create_default_context().cert_store_stats()["x509_ca"]
assert authorities > 100, authorities

noon = datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Asia/Shanghai"))
assert noon.astimezone(ZoneInfo("America/New_York")).hour == 0, noon

prepared = requests.Request("POST", "https://example.org/a", params={"q": "ä"}, json={"n": 1}).prepare()
assert prepared.url == "https://example.org/a?q=%C3%A4" and prepared.body == b'{"n": 1}', prepared.url

transport = httpx.MockTransport(lambda request: httpx.Response(200, json={"path": request.url.path}))
with httpx.Client(transport=transport) as client:
    assert client.get("https://example.org/b").json() == {"path": "/b"}

assert socks.socksocket is not None

answers: list[int] = []
workers = [threading.Thread(target=answers.append, args=(n,)) for n in range(8)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
assert sorted(answers) == list(range(8)), answers

with tempfile.NamedTemporaryFile(suffix=".db") as file, sqlite3.connect(file.name) as database:
    database.execute("create table t (n integer)")
    database.executemany("insert into t values (?)", [(n,) for n in range(10)])
    total = database.execute("select sum(n) from t").fetchone()[0]
assert total == 45, total

print(json.dumps({"smoke": "ok", "authorities": authorities}))
