# One request at a time: what waits runs by priority, then in order of arrival.
daemon start preload=one
client A connect
client A submit model=one text="pace:1s ab" stream -> hold
client A first hold
client A submit model=one priority=low text="low" -> low
client A submit model=one priority=normal text="n1" -> normal1
client A submit model=one priority=normal text="n2" -> normal2
client A submit model=one priority=normal text="n3" -> normal3
client A submit model=one priority=high text="h" -> high
client A submit model=one priority=critical text="c" -> critical
order expect hold critical high normal1 normal2 normal3 low
daemon stop
