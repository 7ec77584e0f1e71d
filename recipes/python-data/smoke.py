"""Does a little of what people do with these packages; prints one line when all of it works."""

import io
import json
import ssl
import struct

import httpx
import matplotlib
import numpy
import pandas
import pydantic
import requests

matplotlib.use("Agg")
import matplotlib.pyplot as plot  # noqa: E402  (the backend must be chosen first)

square = numpy.arange(9.0).reshape(3, 3) + numpy.eye(3)
assert numpy.allclose(numpy.linalg.inv(square) @ square, numpy.eye(3))

frame = pandas.DataFrame({"city": ["Köln", "Bonn", "Köln"], "sold": [3, 4, 5]})
grouped = frame.groupby("city")["sold"].sum().to_dict()
assert grouped == {"Bonn": 4, "Köln": 8}, grouped

figure, axes = plot.subplots()
axes.plot([1, 2, 3], [1, 4, 9], label="n²")
axes.legend()
picture = io.BytesIO()
figure.savefig(picture, format="png")
figure.savefig("/tmp/figure.png")
header = picture.getvalue()[:24]
assert header[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", header[16:]) == (640, 480), header


class Order(pydantic.BaseModel):
    item: str
    count: int = pydantic.Field(gt=0)


assert Order.model_validate_json('{"item": "beet", "count": "3"}').count == 3

transport = httpx.MockTransport(lambda request: httpx.Response(200, text=request.url.host))
with httpx.Client(transport=transport) as client:
    assert client.get("https://example.org/").text == "example.org"
assert requests.Request("GET", "https://example.org/", params={"a": 1}).prepare().url.endswith("?a=1")

authorities = ssl.create_default_context().cert_store_stats()["x509_ca"]
assert authorities > 100, authorities

print(json.dumps({"smoke": "ok", "numpy": numpy.__version__, "pandas": pandas.__version__}))
