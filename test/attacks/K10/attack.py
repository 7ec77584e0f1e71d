try_calls(
    "keyctl",
    "add_key",
    "request_key",
)
