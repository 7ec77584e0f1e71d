import shutil, subprocess
python = os.path.realpath(sys.executable)
shutil.copy(python, TMP + "/own")
os.chmod(TMP + "/own", 0o4755)
attempt("own file", lambda: subprocess.run([TMP + "/own", "-c", "print(1)"]) and None)
print(subprocess.run([python, "-I", "-c", "import os; print(os.getuid() == os.geteuid() > 0); os.setuid(0)"], capture_output=True, text=True).stdout.strip())
mapped = os.open(TMP + "/own", os.O_RDONLY)
attempt("mapped", lambda: mmap.mmap(mapped, 4096, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_EXEC))
