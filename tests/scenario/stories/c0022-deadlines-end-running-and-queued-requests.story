daemon start preload=tiny
client A connect
client A submit model=tiny timeout_ms=300 text="slow:60s" stream -> a
client A expect a failed expired
client A expect a finish timeout
client A submit model=tiny text="slow:60s" stream -> h1
client A submit model=tiny text="slow:60s" stream -> h2
client A submit model=tiny text="slow:60s" stream -> h3
client A submit model=tiny text="slow:60s" stream -> h4
client A first h4
client A submit model=tiny timeout_ms=200 text="crash:" -> waits
client A expect waits failed expired
health expect worker_deaths 0
client A close
daemon stop
