daemon start preload=tiny
client A connect
client A submit model=tiny text="slow:60s" stream -> h1
client A submit model=tiny text="slow:60s" stream -> h2
client A submit model=tiny text="slow:60s" stream -> h3
client A submit model=tiny text="slow:60s" stream -> h4
client A first h4
client A submit model=tiny text="crash:" -> poison
client A cancel poison -> yes
client A expect poison failed cancelled
client A cancel h1 -> yes
client A cancel h2 -> yes
client A cancel h3 -> yes
client A cancel h4 -> yes
client A submit model=tiny text="abc" -> b
client A expect b text "cba"
health expect worker_deaths 0
daemon stop
