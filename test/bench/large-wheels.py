"""Writes two wheels of more than 2 GB together into the folder of a simple index: python3 large-wheels.py FOLDER SCALE.

With a SCALE of 1: a compressible file of 2.2 GiB, one of 300 MiB that is not, a shared object of 100 MiB, 20 000 small files.
"""

import base64, hashlib, os, random, sys, zipfile

folder, scale = sys.argv[1], float(sys.argv[2])
MIB = 1 << 20


class Wheel:
    def __init__(self, name):
        self.name, self.record = name, []
        self.path = os.path.join(folder, name, f"{name}-1.0-py3-none-any.whl")
        os.makedirs(os.path.dirname(self.path))
        self.zip = zipfile.ZipFile(self.path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)

    def add(self, path, chunks, method=zipfile.ZIP_DEFLATED):
        info = zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0))
        info.compress_type, info.external_attr = method, 0o100644 << 16
        digest, size = hashlib.sha256(), 0
        with self.zip.open(info, "w", force_zip64=True) as file:
            for chunk in chunks:
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        text = base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
        self.record.append(f"{path},sha256={text},{size}")

    def close(self):
        info = f"{self.name}-1.0.dist-info"
        self.add(f"{info}/METADATA", [f"Metadata-Version: 2.1\nName: {self.name}\nVersion: 1.0\n".encode()])
        self.add(f"{info}/WHEEL", [b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"])
        lines = self.record + [f"{info}/RECORD,,"]
        self.zip.writestr(f"{info}/RECORD", "".join(line + "\n" for line in lines))
        self.zip.close()
        with open(self.path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        name = os.path.basename(self.path)
        with open(os.path.join(os.path.dirname(self.path), "index.html"), "w") as page:
            page.write(f'<!DOCTYPE html><html><body><a href="{name}#sha256={digest}">{name}</a></body></html>')


def compressible(size):
    block = bytes(MIB)
    for index in range(int(size / MIB)):
        yield index.to_bytes(8, "little") + block[8:]


def noise(size, seed):
    generator = random.Random(seed)
    for _ in range(int(size / MIB)):
        yield generator.randbytes(MIB)


def library(size):
    with open(sys.argv[3], "rb") as file:
        yield file.read()
    yield from noise(size, 2)


big = Wheel("bigtoy")
big.add("bigtoy/__init__.py", [b"SIZE = 1\n"])
big.add("bigtoy/weights.bin", compressible(2253 * MIB * scale))
big.add("bigtoy/data.bin", noise(300 * MIB * scale, 1), zipfile.ZIP_STORED)
big.add("bigtoy/libbig.so", library(100 * MIB * scale))
big.close()

many = Wheel("manytoy")
for index in range(int(20_000 * scale)):
    package = f"manytoy/p{index % 100}"
    if index < 100:
        many.add(f"{package}/__init__.py", [b""])
    many.add(f"{package}/m{index}.{'py' if index % 10 == 0 else 'txt'}", [f"VALUE = {index}\n".encode()])
many.close()
