daemon start preload=one
client A connect
client A submit model=one timeout_ms=300 text="pace:60s ab" stream -> a
client A expect a failed expired
client A expect a finish timeout
client A submit model=one text="pace:60s ab" stream -> hold
client A first hold
client A submit model=one timeout_ms=200 text="crash:" -> waits
client A expect waits failed expired
health expect worker_deaths 0
client A close
daemon stop
