# A script as dify-sandbox starts it: ROOT UID GID NETWORK [PRELOAD]. The guest's code comes on descriptor 3.
import ctypes
import os
import sys

shim = ctypes.CDLL('./python.so')
shim.DifySeccomp.argtypes = [ctypes.c_uint32, ctypes.c_uint32, ctypes.c_bool]
shim.DifySeccomp.restype = None

root, uid, gid, network, *preload = sys.argv[1:]
os.chdir(root)
for code in preload:
    exec(code)
shim.DifySeccomp(int(uid), int(gid), network == '1')
with os.fdopen(3, 'rb') as guest:
    source = guest.read().decode('utf-8')
exec(compile(source, '<fd3>', 'exec'))
