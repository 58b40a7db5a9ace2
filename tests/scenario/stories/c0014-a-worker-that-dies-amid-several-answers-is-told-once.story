# A stream of several answers that has begun is not begun again by the next worker.
daemon start preload=tiny
client A connect
client A submit model=tiny text="pace:60s ab" n=3 stream -> a
client A submit model=tiny text="hello" n=3 -> queued
client A first a
worker kill model=tiny
client A expect a failed worker_lost
client A expect queued answers "olleh" "olleh+" "olleh++"
health expect worker_deaths 1
daemon stop
