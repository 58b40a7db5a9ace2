daemon start preload=one
client A connect
client A submit model=one text="pace:60s ab" stream -> hold
client A first hold
client A submit model=one text="crash:" -> poison
client A cancel poison -> yes
client A expect poison failed cancelled
client A cancel hold -> yes
client A expect hold failed cancelled
client A submit model=one text="abc" -> b
client A expect b text "cba"
health expect worker_deaths 0
daemon stop
