daemon start preload=one
client A connect v1 name=writer
client B connect
client A submit model=one text="pace:60s ab" stream -> hold
client A first hold
client A submit model=one text="crash:" -> poison
client A submit model=one text="abc" -> next
client B lists 3
client B cancel-listed 1 -> yes
client A expect poison failed cancelled
client A expect poison error-says "ticket"
client B cancel-listed 1 -> no
client B cancel-listed 0 -> yes
client A expect hold failed cancelled
client A expect next text "cba"
client B lists 0
health expect worker_deaths 0
daemon stop
