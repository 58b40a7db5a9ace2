daemon start preload=tiny
client A connect
client A submit model=tiny id=77 text="pace:60s ab" stream -> a
client A first a
client A submit model=tiny id=77 text="abc" -> twin
client A expect error input_invalid
client A cancel a -> yes
client A expect a failed cancelled
daemon stop
