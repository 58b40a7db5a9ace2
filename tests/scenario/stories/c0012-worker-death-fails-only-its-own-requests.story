daemon start preload=tiny,other
client A connect
client B connect
client A submit model=tiny text="pace:60s ab" stream -> a
client A submit model=tiny text="pace:60s ab" stream -> b
client A submit model=tiny text="pace:60s ab" stream -> c
client A submit model=tiny text="pace:60s ab" stream -> d
client A submit model=tiny text="queued" -> queued
client B submit model=other text="slow:3s" -> other
client A first a
client A first b
client A first c
client A first d
worker kill model=tiny
client A expect a failed worker_lost
client A expect b failed worker_lost
client A expect c failed worker_lost
client A expect d failed worker_lost
client A expect queued text "deueuq"
client B expect other ok
worker same model=other
health expect worker_deaths 1
models expect tiny restarts 1
daemon expect log worker.died
daemon alive
daemon stop
