# The worker is held by one slow request; what waits runs by priority, then in order of arrival.
daemon start preload=tiny
client A connect
client A submit model=tiny text="slow:1500ms" -> hold1
client A submit model=tiny text="slow:1500ms" -> hold2
client A submit model=tiny text="slow:1500ms" -> hold3
client A submit model=tiny text="slow:1500ms" -> hold4
client A submit model=tiny priority=low text="slow:20ms low" -> low
client A submit model=tiny priority=normal text="slow:20ms n1" -> normal1
client A submit model=tiny priority=normal text="slow:20ms n2" -> normal2
client A submit model=tiny priority=high text="slow:20ms h" -> high
client A submit model=tiny priority=critical text="slow:20ms c" -> critical
client A expect low ok
order expect hold1 critical
order expect critical high normal1 normal2 low
daemon stop
