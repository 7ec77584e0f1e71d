import sys

print("while it is imported")
print("as an error", file=sys.stderr)
sys.stdout.write("y" * 5000)
