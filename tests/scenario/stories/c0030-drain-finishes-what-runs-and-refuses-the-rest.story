daemon start preload=tiny
client A connect
client A submit model=tiny text="pace:2s ab" stream -> a
client A first a
daemon signal TERM
daemon expect log daemon.draining
client A submit model=tiny text="abc" -> late
client A expect late failed shutting_down
client A expect a ok
daemon expect exit 0
