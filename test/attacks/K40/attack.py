import select
polls = [select.epoll() for _ in range(12)]
def nest():
    for outer, inner in zip(polls, polls[1:]):
        outer.register(inner.fileno())
attempt("deep", nest)
attempt("in a circle", lambda: polls[1].register(polls[0].fileno()))
attempt("itself", lambda: polls[0].register(polls[0].fileno()))
attempt("a file", lambda: polls[0].register(os.open(os.__file__, os.O_RDONLY)))
