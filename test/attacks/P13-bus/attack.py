file = os.open(TMP + "/x", os.O_RDWR | os.O_CREAT)
os.ftruncate(file, 8192)
page = mmap.mmap(file, 8192)
os.ftruncate(file, 0)
page[5000]
