daemon start preload=tiny
client A connect
client A submit model=tiny text="pace:1s ab" stream -> a
client A first a
daemon signal INT
client A expect a ok
daemon expect exit 0
