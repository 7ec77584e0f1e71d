import multiprocessing

shared = multiprocessing.RawArray("i", 4)
