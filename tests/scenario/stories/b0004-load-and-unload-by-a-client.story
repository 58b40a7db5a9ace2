daemon start
client A connect
client A submit model=tiny text="abc" -> early
client A expect early failed not_ready
client A expect early error-says "load"
client A load tiny -> ok
client A submit model=tiny text="abc" -> a
client A expect a text "cba"
client A load tiny -> ok
client A unload tiny -> ok
models expect tiny state absent
models expect tiny worker_pid 0
client A submit model=tiny text="abc" -> late
client A expect late failed not_ready
client A load nobody -> no_model
daemon stop
