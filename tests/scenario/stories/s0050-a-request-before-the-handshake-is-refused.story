daemon start preload=tiny
client A connect bare
client A submit model=tiny text="abc" -> a
client A expect error unauthenticated
health expect ok 1
daemon stop
