import os
import random
import ssl
import tempfile
import uuid

import numpy.random

used = [
    random.random(),
    numpy.random.random(),
    uuid.uuid1(),
    uuid.getnode(),
    tempfile.mktemp(),
    ssl.RAND_bytes(8),
    os.urandom(8),
]
