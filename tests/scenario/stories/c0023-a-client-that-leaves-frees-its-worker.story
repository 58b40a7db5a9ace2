daemon start preload=tiny
client A connect
client A submit model=tiny text="slow:60s" stream -> a
client A submit model=tiny text="slow:60s" stream -> b
client A submit model=tiny text="slow:60s" stream -> c
client A submit model=tiny text="slow:60s" stream -> d
client A first d
client A close
client B connect
client B submit model=tiny text="abc" -> next
client B expect next text "cba"
health expect worker_deaths 0
daemon stop
