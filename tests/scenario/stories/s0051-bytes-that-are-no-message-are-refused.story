daemon start preload=tiny
client A connect
client A raw 04000000ffffffff
client A expect error malformed
client A expect closed
client B connect bare
client B raw ffffffff
client B expect error too_large
client B expect closed
client C connect
client C submit model=tiny text="abc" -> c
client C expect c text "cba"
daemon alive
daemon stop
