sys.stdout.write('\x1b[2J\x1b]0;title\x07\0\r"}\u2028\u202e\x9b')
