os.mkfifo(TMP + "/pipe")
open(TMP + "/pipe")
