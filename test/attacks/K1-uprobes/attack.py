attempt("uretprobe", lambda: call(335))
attempt("uprobe", lambda: call(336))
