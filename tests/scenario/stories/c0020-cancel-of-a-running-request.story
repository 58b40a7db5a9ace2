daemon start preload=tiny
client A connect
client A submit model=tiny text="pace:60s ab" stream -> a
client A first a
client A cancel a -> yes
client A expect a failed cancelled
client A expect a finish cancelled
client A cancel a -> no
client A submit model=tiny text="abc" -> b
client A expect b text "cba"
health expect worker_deaths 0
daemon stop
